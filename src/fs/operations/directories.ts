// opendir(3), mkdir(2) and rmdir(2): directories are implied by keys, so making one costs no request.
import { FsError } from "../../posix/errno.ts";
import { baseName, checkName, parentPath } from "../../posix/path.ts";
import { FileType, isDirectory, S_ISGID } from "../../posix/stat.ts";
import type { Spool, UploadQueue } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { DirectoryReader } from "../listing/directory-reader.ts";
import { DescribedDirectory } from "../listing/described-directory.ts";
import type { Describer } from "../listing/describer.ts";
import { localAttributesOf, newEntry } from "../namespace/entries.ts";
import type { CallContext, DirectoryHandle, Entry } from "../file-system.ts";
import { ownerOf } from "./files.ts";
import { directoryChange } from "../namespace/keep-directory.ts";
import { linger } from "../writing/linger.ts";
import type { Listings } from "../listing/listings.ts";
import type { Lookup } from "../listing/lookup.ts";
import { markerKeys } from "../namespace/markers.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";

export class Directories {
  readonly #namespace: Namespace;
  readonly #lookup: Lookup;
  readonly #listings: Listings;
  readonly #queue: UploadQueue;
  readonly #spool: Spool;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  readonly #show: (entry: NamespaceEntry) => Entry;
  readonly #describer: Describer;

  constructor(parts: {
    namespace: Namespace;
    lookup: Lookup;
    listings: Listings;
    queue: UploadQueue;
    spool: Spool;
    keys: KeyMap;
    options: CoreOptions;
    show: (entry: NamespaceEntry) => Entry;
    describer: Describer;
  }) {
    this.#namespace = parts.namespace;
    this.#lookup = parts.lookup;
    this.#listings = parts.listings;
    this.#queue = parts.queue;
    this.#spool = parts.spool;
    this.#keys = parts.keys;
    this.#options = parts.options;
    this.#show = parts.show;
    this.#describer = parts.describer;
  }

  async opendir(path: string, context: CallContext): Promise<DirectoryHandle> {
    const directory = await this.#directory(path, context.signal);
    const parts = { namespace: this.#namespace, listings: this.#listings, show: this.#show };
    const reader = new DirectoryReader(directory, parts);
    if (this.#options.metadata !== "object") return reader;
    return new DescribedDirectory(directory, reader, { ...parts, describer: this.#describer });
  }

  async mkdir(path: string, mode: number, context: CallContext): Promise<Entry> {
    const name = baseName(path);
    checkName(name);
    if (await this.#lookup.resolve(path, context.signal)) throw exists(path);
    const directory = this.#writableParent(path);
    if (this.#namespace.get(directory.entry.ino, name)) throw exists(path);
    const inherited = directory.entry.mode & S_ISGID;
    const type = FileType.directory | (mode & 0o7777) | inherited;
    const isTold = this.#options.metadata === "object";
    const needsMarker = isTold || this.#options.directoryMarkers;
    const marker = needsMarker ? await this.#spool.create() : undefined;
    if (this.#namespace.get(directory.entry.ino, name)) throw exists(path);
    const entry = newEntry(this.#namespace.nextIno(), type, ownerOf(directory, context), {
      local: true,
      attributed: true,
      // nobody else knows of it yet: what is not found in it within the TTL is not there
      listedUntil: Date.now() + this.#options.statCacheTtlMs,
      ...(marker ? { marker: true } : {}),
      ...(marker && isTold ? { staged: marker.id } : {}),
    });
    const plan = this.#queue.plan();
    const key = `${this.#keys.toKey(path)}/`;
    const metadata = isTold ? { metadata: metadataOf(entry) } : {};
    if (marker) {
      plan.put({ key, staged: marker.id, size: 0, inBucket: false, ...metadata });
      linger(this.#queue, marker.id);
    }
    await this.#namespace.carryOut(plan, {
      names: [
        { parent: directory.entry.ino, name, entry },
        ...directoryChange(this.#namespace, directory).names,
      ],
      attributes: [{ path, attributes: localAttributesOf(entry) }],
    });
    marker?.release();
    return this.#show(entry);
  }

  async rmdir(path: string, context: CallContext): Promise<void> {
    const located = await this.#lookup.existing(path, context.signal);
    if (!isDirectory(located.entry)) throw new FsError("ENOTDIR", `Cannot remove "${path}"`);
    if (path === "/") throw new FsError("EBUSY", "Cannot remove the root of the mount");
    await this.assertEmpty(located, context.signal);
    const directory = this.#writableParent(path);
    if (this.#namespace.hasChildren(located.entry.ino)) throw notEmpty(path);
    const plan = this.#queue.plan();
    const current = this.#namespace.get(located.parent, located.name);
    for (const key of current ? markerKeys(this.#keys, path, current) : []) plan.delete(key, true);
    const gone = { parent: located.parent, name: located.name, entry: undefined };
    const above = directoryChange(this.#namespace, directory, located.name);
    await this.#namespace.carryOut(plan, {
      names: [gone, ...above.names],
      attributes: [{ path, attributes: undefined }, ...above.attributes],
    });
  }

  /** Rejects with ENOTEMPTY if anything is in the directory, here or in the bucket. */
  async assertEmpty(directory: Located, signal: AbortSignal): Promise<void> {
    if (await this.#listings.hasNames(directory, signal)) throw notEmpty(directory.path);
  }

  async #directory(path: string, signal: AbortSignal): Promise<Located> {
    const located = await this.#lookup.existing(path, signal);
    if (!isDirectory(located.entry)) throw new FsError("ENOTDIR", `Cannot list "${path}"`);
    return located;
  }

  #writableParent(path: string): Located {
    return writableParent(this.#namespace, this.#options, path);
  }
}

/** The directory that holds `path`, for a change in it; rejects with ENOENT, ENOTDIR or EROFS. */
export function writableParent(namespace: Namespace, options: CoreOptions, path: string): Located {
  if (options.readOnly) throw new FsError("EROFS", "Cannot write: mounted read-only");
  const directory = namespace.known(parentPath(path));
  if (!directory) throw new FsError("ENOENT", `Cannot find the directory of "${path}"`);
  if (!isDirectory(directory.entry)) {
    throw new FsError("ENOTDIR", `Cannot use "${parentPath(path)}" as a directory`);
  }
  return directory;
}

function notEmpty(path: string): FsError {
  return new FsError("ENOTEMPTY", `Cannot remove "${path}": not empty`);
}

function exists(path: string): FsError {
  return new FsError("EEXIST", `Cannot create "${path}": it exists`);
}
