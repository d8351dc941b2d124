// What the namespace learns when the bucket has caught up: uploads and copies that are done.
import { log } from "../log.ts";
import { FileType } from "../posix/stat.ts";
import type { ObjectPlace, QueueEvents } from "../spool/spool.ts";
import type { NameChange, NamespaceEntry } from "../state/namespace-entry.ts";
import type { CopyRecord, PutRecord } from "../state/queue-record.ts";
import type { CoreOptions, KeyMap } from "./core-options.ts";
import type { Namespace } from "./namespace.ts";
import type { ObjectReaders } from "./object-readers.ts";

export class QueueFollower implements QueueEvents {
  readonly #namespace: Namespace;
  readonly #readers: ObjectReaders;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;

  constructor(namespace: Namespace, readers: ObjectReaders, keys: KeyMap, options: CoreOptions) {
    this.#namespace = namespace;
    this.#readers = readers;
    this.#keys = keys;
    this.#options = options;
  }

  uploaded(record: PutRecord, etag: string): readonly NameChange[] {
    return this.#change(record.key, (entry) => {
      if (entry.staged !== record.staged) return { ...entry, etag };
      const { staged: _staged, ...rest } = entry;
      return { ...rest, etag, until: Date.now() + this.#options.statCacheTtlMs };
    });
  }

  copied(record: CopyRecord, etag: string): readonly NameChange[] {
    return this.#change(record.to, (entry) => {
      if (entry.key !== record.from) return undefined;
      const { key: _key, ...rest } = entry;
      return { ...rest, etag, until: Date.now() + this.#options.statCacheTtlMs };
    });
  }

  relocated(to: string, was: ObjectPlace, now: ObjectPlace): readonly NameChange[] {
    return this.#change(to, (entry) =>
      (entry.key ?? to) === was.key && entry.etag === was.etag
        ? { ...entry, key: now.key, etag: now.etag }
        : undefined,
    );
  }

  copyFailed(record: CopyRecord, reason: Error): readonly NameChange[] {
    log.error(
      "The renamed object %j was lost before its copy to %j: %s",
      record.from,
      record.to,
      reason.message,
    );
    return this.#change(record.to, (entry) => {
      if (entry.key !== record.from) return undefined;
      const { key: _key, ...rest } = entry;
      return { ...rest, until: 0 };
    });
  }

  deleted(key: string): void {
    this.#namespace.touchKey(key);
  }

  beforeReplace(key: string): Promise<void> {
    return this.#readers.detach(key);
  }

  #change(
    key: string,
    next: (entry: NamespaceEntry) => NamespaceEntry | undefined,
  ): readonly NameChange[] {
    const path = this.#keys.toPath(key);
    const located = path === undefined ? undefined : this.#namespace.durable(path);
    if (!located || (located.entry.mode & FileType.mask) !== FileType.file) return [];
    const { parent, name } = located;
    const entry = next(located.entry);
    if (!entry) return [];
    this.#namespace.touch(parent, name);
    return [{ parent, name, entry }];
  }
}
