// What the namespace learns when the bucket has caught up: uploads and copies that are done.
import { log } from "../../log.ts";
import { FileType, isDirectory } from "../../posix/stat.ts";
import type { ObjectStore } from "../../s3/object-store.ts";
import type { ObjectPlace, QueueEvents } from "../../spool/spool.ts";
import type { StateChange } from "../../state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import type {
  CopyRecord,
  DescribeRecord,
  PutRecord,
  QueueRecord,
} from "../../state/queue-record.ts";
import { parentPath } from "../../posix/path.ts";
import type { Completeness } from "../listing/completeness.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { fitsMetadata } from "../metadata/posix-metadata.ts";
import type { Namespace } from "../namespace/namespace.ts";
import type { ObjectReaders } from "../reading/object-readers.ts";

export class QueueFollower implements QueueEvents {
  readonly #namespace: Namespace;
  readonly #readers: ObjectReaders;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  readonly #store: Pick<ObjectStore, "storeTime">;
  readonly #changed: (path: string) => void;
  readonly #completeness: Completeness;

  /** `changed` is called for each name that stands for something else now. */
  constructor(
    namespace: Namespace,
    readers: ObjectReaders,
    keys: KeyMap,
    options: CoreOptions,
    store: Pick<ObjectStore, "storeTime">,
    changed: (path: string) => void,
    completeness: Completeness,
  ) {
    this.#store = store;
    this.#changed = changed;
    this.#completeness = completeness;
    this.#namespace = namespace;
    this.#readers = readers;
    this.#keys = keys;
    this.#options = options;
  }

  uploaded(record: PutRecord, etag: string, settled: boolean): readonly NameChange[] {
    return this.#change(record.key, (entry) => {
      if (entry.staged !== record.staged) return { ...entry, etag };
      // its bytes are at its own key from here on
      const { staged: _staged, key: _key, ...rest } = entry;
      const now = { ...rest, etag, until: Date.now() + this.#options.statCacheTtlMs };
      return settled ? this.#settled(now, record) : now;
    });
  }

  copied(record: CopyRecord, etag: string, settled: boolean): readonly NameChange[] {
    return this.#change(record.to, (entry) => {
      if (entry.key !== record.from) return undefined;
      const { key: _key, ...rest } = entry;
      const now = { ...rest, etag, until: Date.now() + this.#options.statCacheTtlMs };
      if (settled && record.metadata) return this.#settled(now, record);
      // what the source said, the copy says
      return now.describedAt === undefined ? now : { ...now, describedAt: this.#describedAt };
    });
  }

  described(
    record: DescribeRecord,
    etag: string | undefined,
    settled: boolean,
  ): readonly NameChange[] {
    if (etag === undefined) {
      log.warn("The attributes of %j are lost: somebody else replaced or removed it", record.key);
      this.#doubt(record.key);
    }
    return this.#change(record.key, (entry) => {
      if (entry.staged !== undefined || entry.key !== undefined) return undefined;
      if (etag !== undefined) {
        return settled ? this.#settled({ ...entry, etag }, record) : { ...entry, etag };
      }
      const { attributed: _attributed, ...rest } = entry;
      return settled ? { ...rest, describedAt: 0, until: 0 } : undefined;
    });
  }

  settledAttributes(record: QueueRecord): StateChange["attributes"] {
    if (!this.#isTold(record)) return [];
    const key = record.kind === "copy" ? record.to : record.key;
    const path = this.#keys.toPath(key);
    if (path === undefined) return [];
    const entry = this.#namespace.durable(path)?.entry;
    if (!entry || !fitsMetadata(entry)) return [];
    if (this.#namespace.state.localAttributes(path) === undefined) return [];
    return [{ path, attributes: undefined }];
  }

  relocated(to: string, was: ObjectPlace, now: ObjectPlace): readonly NameChange[] {
    return this.#change(to, (entry) => {
      // what was written since has its bytes here, and an ETag that is about to be replaced
      if (entry.staged !== undefined) return undefined;
      const isMeant = (entry.key ?? to) === was.key && entry.etag === was.etag;
      return isMeant ? { ...entry, key: now.key, etag: now.etag } : undefined;
    });
  }

  copyFailed(record: CopyRecord, reason: Error): readonly NameChange[] {
    log.error(
      "The renamed object %j was lost before its copy to %j: %s",
      record.from,
      record.to,
      reason.message,
    );
    this.#doubt(record.from);
    return this.#change(record.to, (entry) => {
      if (entry.key !== record.from) return undefined;
      const { key: _key, ...rest } = entry;
      return { ...rest, until: 0 };
    });
  }

  discarded(record: QueueRecord): Pick<StateChange, "names" | "attributes"> {
    const keys = record.kind === "copy" ? [record.to, record.from] : [record.key];
    const names: NameChange[] = [];
    const attributes: { path: string; attributes: undefined }[] = [];
    for (const key of keys) {
      const path = this.#keys.toPath(key);
      if (path === undefined || path === "/") continue;
      const located = this.#namespace.durable(path);
      if (located && givesBytesTo(record, located.entry)) {
        names.push({ parent: located.parent, name: located.name, entry: undefined });
        attributes.push({ path, attributes: undefined });
        this.#namespace.touch(located.parent, located.name);
      }
      // the bucket is asked what it has there
      const directory = this.#namespace.known(parentPath(path));
      if (directory) {
        const { parent, name, entry } = directory;
        names.push({ parent, name, entry: { ...entry, listedUntil: 0 } });
        this.#completeness.doubt({ ino: entry.ino, path: directory.path });
      }
      this.#changed(path);
    }
    return { names, attributes };
  }

  /** What is known of the names around `key` need not be so. */
  #doubt(key: string): void {
    const path = this.#keys.toPath(key);
    const directory = path === undefined ? undefined : this.#namespace.known(parentPath(path));
    if (directory) this.#completeness.doubt({ ino: directory.entry.ino, path: directory.path });
  }

  deleted(key: string): void {
    this.#namespace.touchKey(key);
  }

  beforeReplace(key: string): Promise<void> {
    return this.#readers.detach(key);
  }

  /** The entry once its object says all that there is to say of it: nothing is kept on this host only. */
  #settled(entry: NamespaceEntry, record: QueueRecord): NamespaceEntry {
    if (!this.#isTold(record) || !fitsMetadata(entry)) return entry;
    const { attributed: _attributed, local: _local, ...rest } = entry;
    return { ...rest, describedAt: this.#describedAt };
  }

  #isTold(record: QueueRecord): boolean {
    if (this.#options.metadata !== "object" || record.kind === "delete") return false;
    return record.metadata !== undefined;
  }

  /** 0 where the store does not tell the time: then the object is asked. */
  get #describedAt(): number {
    return this.#store.storeTime ?? 0;
  }

  #change(
    key: string,
    next: (entry: NamespaceEntry) => NamespaceEntry | undefined,
  ): readonly NameChange[] {
    const path = this.#keys.toPath(key);
    const located = path === undefined ? undefined : this.#namespace.durable(path);
    if (!located || isDirectory(located.entry) !== key.endsWith("/")) return [];
    const isFile = (located.entry.mode & FileType.mask) === FileType.file;
    if (!isFile && this.#options.metadata !== "object") return [];
    const { parent, name } = located;
    const entry = next(located.entry);
    if (!entry) return [];
    this.#namespace.touch(parent, name);
    return [{ parent, name, entry }];
  }
}

function givesBytesTo(record: QueueRecord, entry: NamespaceEntry): boolean {
  if (record.kind === "put") return entry.staged === record.staged;
  return record.kind === "copy" && entry.key === record.from;
}
