// What a listed name stands for, given what is known of it and what the queue is about to do.
import { FileType, isDirectory } from "../../posix/stat.ts";
import { joinPath } from "../../posix/path.ts";
import type { ObjectInfo } from "../../s3/object-store.ts";
import type { UploadQueue } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { asListed, describedEntry, otherVersion, unmarked } from "../metadata/described-entry.ts";
import { newEntry } from "../namespace/entries.ts";
import { isHeldHere, isSameVersion } from "../namespace/entry-content.ts";
import {
  isFolderMarkerOnly,
  isListedDirectory,
  type ListedNode,
  reportShadowed,
} from "./listed-tree.ts";
import type { Namespace, Observation } from "../namespace/namespace.ts";

export class ListedEntries {
  readonly #namespace: Namespace;
  readonly #queue: UploadQueue;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  #hasFolderMarkers = false;

  constructor(namespace: Namespace, queue: UploadQueue, keys: KeyMap, options: CoreOptions) {
    this.#namespace = namespace;
    this.#queue = queue;
    this.#keys = keys;
    this.#options = options;
  }

  /** Whether a `name_$folder$` object was listed yet. */
  get hasFolderMarkers(): boolean {
    return this.#hasFolderMarkers;
  }

  /** Whether S3's view of the name does not count (yet), or was taken before we changed something below it. */
  isOurs(entry: NamespaceEntry, seen: Observation): boolean {
    if (isHeldHere(entry)) return true;
    if (!isDirectory(entry)) return false;
    if (seen.touchedIn(entry.ino)) return true;
    for (const [, child] of this.#namespace.children(entry.ino)) {
      if (this.isOurs(child, seen)) return true;
    }
    return false;
  }

  /** What the name stands for, if S3's view of it counts. */
  meantBy(
    path: string,
    known: NamespaceEntry | undefined,
    node: ListedNode,
    seen: Observation,
  ): NamespaceEntry | undefined {
    const isDirectoryNow = isListedDirectory(node);
    const isFile = known !== undefined && !isDirectory(known);
    // listed before, on another page
    if (isFile && isFolderMarkerOnly(node) && seen.saw.has(known.ino)) return undefined;
    if (isDirectoryNow && this.isLive(node.object, seen)) reportShadowed(path);
    return (
      (isDirectoryNow ? this.#directoryEntry(path, known, node, seen) : undefined) ??
      (node.object && this.#fileEntry(path, known, node.object, seen))
    );
  }

  /** From when the question began: later changes are not in the answer. */
  listedUntil(seen: Observation): number {
    return seen.startedAt + this.#options.statCacheTtlMs;
  }

  #directoryEntry(
    path: string,
    known: NamespaceEntry | undefined,
    node: ListedNode,
    seen: Observation,
  ): NamespaceEntry | undefined {
    const until = Date.now() + this.#options.statCacheTtlMs;
    const marker = {
      ...(node.marker ? { marker: true } : {}),
      ...(node.folderMarker ? { folderMarker: true } : {}),
    };
    if (node.folderMarker) this.#hasFolderMarkers = true;
    if (known && isDirectory(known)) {
      const entry = { ...known, ...marker, until: known.local ? Infinity : until };
      return this.toldDirectory(entry, node);
    }
    if (known && this.isOurs(known, seen)) return undefined;
    if (!this.#hasLiveKeys(path, node, seen)) return undefined;
    const mode = FileType.directory | this.#options.dirMode;
    const listed = node.complete ? { listedUntil: this.listedUntil(seen) } : {};
    const entry = newEntry(this.#namespace.nextIno(), mode, this.#options, {
      until,
      ...marker,
      ...listed,
    });
    return this.toldDirectory(this.#adorn(path, entry), node);
  }

  #fileEntry(
    path: string,
    known: NamespaceEntry | undefined,
    object: ObjectInfo,
    seen: Observation,
  ): NamespaceEntry | undefined {
    const fate = this.#queue.fate(object.key, object.etag);
    const until = Date.now() + this.#options.statCacheTtlMs;
    if (known && this.isOurs(known, seen)) return undefined;
    // ours is being made, described, or is there and not out of the queue yet: the name stands
    const isMade = fate !== undefined && fate !== "delete";
    if (isMade && known && !isDirectory(known)) return { ...known, until };
    if (fate !== undefined || seen.removed(object.key)) return undefined;
    const isObject = known !== undefined && !isDirectory(known);
    if (isObject && isSameVersion(known, object)) return this.#told({ ...known, until }, object);
    const time = BigInt(object.lastModified) * 1_000_000n;
    const content = { size: object.size, etag: object.etag, mtime: time, ctime: time, until };
    if (isObject) {
      const generation = this.#namespace.nextIno();
      return this.#told({ ...otherVersion(known), ...content, generation }, object);
    }
    const mode = FileType.file | this.#options.fileMode;
    const ino = this.#namespace.nextIno();
    const fresh = newEntry(ino, mode, this.#options, { ...content, atime: time });
    return this.#told(this.#adorn(path, fresh), object);
  }

  /** What a HEAD told of a file, or what a listing leaves in doubt. */
  #told(entry: NamespaceEntry, object: ObjectInfo): NamespaceEntry {
    if (this.#options.metadata !== "object" || entry.attributed) return entry;
    if (!object.metadata) return asListed(entry, object);
    return describedEntry(entry, object, this.#options, () => this.#namespace.nextIno());
  }

  /** What a listing of a directory, or above it, leaves in doubt of what its marker says. */
  toldDirectory(entry: NamespaceEntry, node: ListedNode): NamespaceEntry {
    const isOwn = entry.attributed === true || isHeldHere(entry);
    if (this.#options.metadata !== "object" || isOwn) return entry;
    if (node.marker) return asListed({ ...entry, etag: node.marker.etag }, node.marker);
    return node.complete ? unmarked(entry, this.#options) : asListed(entry, undefined);
  }

  /** Local attributes that outlived the index (it was rebuilt, or the name was unknown for a while). */
  #adorn(path: string, entry: NamespaceEntry): NamespaceEntry {
    const local = this.#namespace.state.localAttributes(path);
    if (!local || (local.mode & FileType.mask) !== (entry.mode & FileType.mask)) return entry;
    const { mtime, atime, ctime } = entry;
    return { ...entry, mtime, atime, ctime, ...local, rdev: local.rdev ?? 0, attributed: true };
  }

  /**
   * Whether any listed key below is not about to be deleted by us. What lies below a common prefix was not told: while
   * deletes of ours are on their way there (a directory was renamed or removed) it does not count as a directory.
   */
  #hasLiveKeys(path: string, node: ListedNode, seen: Observation): boolean {
    if (node.prefix) {
      const prefix = `${this.#keys.toKey(path)}/`;
      if (!this.#queue.removesBelow(prefix) && !seen.removedBelow(prefix)) return true;
    }
    if (this.isLive(node.marker, seen) || this.isLive(node.folderMarker, seen)) return true;
    for (const [name, child] of node.children ?? []) {
      if (this.isLive(child.object, seen)) return true;
      if (this.#hasLiveKeys(joinPath(path, name), child, seen)) return true;
    }
    return false;
  }

  /** Whether there is an object that we are not deleting. */
  isLive(object: ObjectInfo | undefined, seen: Observation): boolean {
    if (object === undefined || seen.removed(object.key)) return false;
    return this.#queue.fate(object.key, object.etag) !== "delete";
  }
}
