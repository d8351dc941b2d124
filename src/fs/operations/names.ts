// mknod(2), symlink(2), readlink(2) and unlink(2).
import { FsError } from "../../posix/errno.ts";
import { baseName, checkName } from "../../posix/path.ts";
import { FileType, isDirectory, isSymlink } from "../../posix/stat.ts";
import type { ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { QueuePlan, Spool, StagedFile, UploadQueue } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { writableParent } from "./directories.ts";
import { directoryChange } from "../namespace/keep-directory.ts";
import { isObject, localAttributesOf, newEntry } from "../namespace/entries.ts";
import type { CallContext, Entry } from "../file-system.ts";
import { ownerOf } from "./files.ts";
import type { Lookup } from "../listing/lookup.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import type { OpenReads } from "../reading/open-reads.ts";
import { linger } from "../writing/linger.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";
import type { Sessions } from "../writing/sessions.ts";
import { readTarget } from "./symlink-target.ts";

/** PATH_MAX of Linux, the longest symlink target with its NUL. */
const PATH_MAX = 4096;

export interface NamesParts {
  readonly namespace: Namespace;
  readonly lookup: Lookup;
  readonly sessions: Sessions;
  readonly reads: OpenReads;
  readonly queue: UploadQueue;
  readonly keys: KeyMap;
  readonly options: CoreOptions;
  readonly show: (entry: NamespaceEntry) => Entry;
}

export class Names {
  readonly #parts: NamesParts & { readonly spool: Spool; readonly store: ObjectStore };

  constructor(parts: NamesParts & { readonly spool: Spool; readonly store: ObjectStore }) {
    this.#parts = parts;
  }

  async readlink(path: string, context: CallContext): Promise<string> {
    const { namespace, lookup, store, keys } = this.#parts;
    const { entry, parent, name } = await lookup.existing(path, context.signal);
    if (!isSymlink(entry))
      throw new FsError("EINVAL", `Cannot read the link "${path}": not a symlink`);
    if (entry.target !== undefined || !isObject(entry)) return entry.target ?? "";
    const key = (entry.key ?? keys.toKey(path)) as ObjectKey;
    const target = await readTarget(store, key, entry, context.signal);
    const now = namespace.get(parent, name);
    if (now?.ino === entry.ino && now.etag === entry.etag) {
      namespace.learn([{ parent, name, entry: { ...now, target } }]);
    }
    return target;
  }

  symlink(path: string, target: string, context: CallContext): Promise<Entry> {
    const size = Buffer.byteLength(target);
    if (size >= PATH_MAX)
      throw new FsError("ENAMETOOLONG", "Cannot make a symlink to so long a target");
    return this.#makeLocal(path, FileType.symlink | 0o777, context, { target, size });
  }

  /** Fifos, sockets and device nodes. */
  mknod(path: string, mode: number, rdev: number, context: CallContext): Promise<Entry> {
    return this.#makeLocal(path, mode, context, { rdev });
  }

  async unlink(path: string, context: CallContext): Promise<void> {
    const located = await this.#parts.lookup.existing(path, context.signal);
    if (isDirectory(located.entry)) throw new FsError("EISDIR", `Cannot unlink "${path}"`);
    const directory = writableParent(this.#parts.namespace, this.#parts.options, path);
    await this.#remove(located, directory);
  }

  async #remove(located: Located, directory: Located): Promise<void> {
    const { namespace, sessions, reads, queue } = this.#parts;
    const { parent, name, path, entry } = located;
    const isNew = namespace.isCreated(parent, name);
    if (isNew) namespace.setCreated(parent, name, undefined);
    sessions.unlinked(entry.ino);
    reads.unlinked(entry.ino);
    if (isNew && !namespace.state.get(parent, name)) {
      const touched = namespace.touchDirectory(directory);
      if (touched) namespace.learn([touched]);
      return;
    }
    const plan = queue.plan();
    this.planRemoval(plan, located, true);
    const change = { parent, name, entry: undefined };
    const above = directoryChange(namespace, directory, name);
    await namespace.carryOut(plan, {
      names: [change, ...above.names],
      attributes: [{ path, attributes: undefined }, ...above.attributes],
    });
  }

  /** What the bucket owes the removal of a name; `mayReturn`: it can be brought back for the delete delay. */
  planRemoval(plan: ReturnType<UploadQueue["plan"]>, located: Located, mayReturn = false): void {
    const { entry, path } = located;
    if (!isObject(entry)) return;
    const inBucket = entry.etag !== undefined && entry.key === undefined;
    plan.delete(this.#parts.keys.toKey(path), inBucket, mayReturn ? entry : undefined);
  }

  async #makeLocal(
    path: string,
    mode: number,
    context: CallContext,
    more: Partial<NamespaceEntry>,
  ): Promise<Entry> {
    const { namespace, lookup, options, spool } = this.#parts;
    const name = baseName(path);
    checkName(name);
    const found = await lookup.resolve(path, context.signal);
    writableParent(namespace, options, path);
    if (found) throw exists(path);
    if (options.metadata !== "object") return this.#commitNew(path, mode, context, more);
    const staged = await spool.create();
    let isKept = false;
    try {
      // as s3fs does: the target is the object's body
      if (more.target !== undefined) await staged.write(0, Buffer.from(more.target));
      await staged.sync();
      const entry = await this.#commitNew(path, mode, context, more, staged);
      isKept = true;
      return entry;
    } finally {
      staged.release();
      if (!isKept) spool.discard(staged.id);
    }
  }

  /** `staged`: what becomes the name's object. */
  async #commitNew(
    path: string,
    mode: number,
    context: CallContext,
    more: Partial<NamespaceEntry>,
    staged?: StagedFile,
  ): Promise<Entry> {
    const { namespace, options, show, queue } = this.#parts;
    const name = baseName(path);
    const directory = writableParent(namespace, options, path);
    if (namespace.get(directory.entry.ino, name)) throw exists(path);
    const owner = ownerOf(directory, context);
    const place = staged ? { staged: staged.id } : { local: true };
    const own = { ...more, ...place, attributed: true };
    const entry = newEntry(namespace.nextIno(), mode, owner, own);
    const touched = namespace.touchDirectory(directory);
    const change = { parent: directory.entry.ino, name, entry };
    const plan = queue.plan();
    if (staged) {
      this.#planNew(plan, path, entry, staged);
      linger(queue, staged.id);
    }
    await namespace.carryOut(plan, {
      names: touched ? [change, touched] : [change],
      attributes: [{ path, attributes: localAttributesOf(entry) }],
    });
    return show(entry);
  }

  #planNew(plan: QueuePlan, path: string, entry: NamespaceEntry, { id }: StagedFile): void {
    const key = this.#parts.keys.toKey(path);
    const metadata = metadataOf(entry);
    plan.put({ key, staged: id, size: entry.size, inBucket: false, metadata });
  }
}

function exists(path: string): FsError {
  return new FsError("EEXIST", `Cannot create "${path}": it exists`);
}
