// Merges what a listing said into the namespace. Ours wins wherever S3 has not caught up with us: names changed since
// the listing began, staged files, renames that are still being copied, keys that are to be deleted.
import { setImmediate } from "node:timers/promises";
import { FileType, isDirectory } from "../posix/stat.ts";
import { log } from "../log.ts";
import { joinPath } from "../posix/path.ts";
import type { ObjectInfo } from "../s3/object-store.ts";
import type { NameChange, NamespaceEntry } from "../state/namespace-entry.ts";
import type { UploadQueue } from "../spool/spool.ts";
import type { CoreOptions, KeyMap } from "./core-options.ts";
import { asListed, describedEntry, otherVersion, unmarked } from "./described-entry.ts";
import { newEntry } from "./entries.ts";
import { isListedDirectory, type ListedNode, reportShadowed } from "./listed-tree.ts";
import type { Located, Namespace, Observation } from "./namespace.ts";

/** Names looked at before other calls get their turn: about 2 ms. */
const AT_ONCE = 512;

export class Learner {
  readonly #namespace: Namespace;
  readonly #queue: UploadQueue;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  /** Called for each name that stands for something else now. */
  readonly #changed: (path: string) => void;
  #hasFolderMarkers = false;

  constructor(
    namespace: Namespace,
    queue: UploadQueue,
    keys: KeyMap,
    options: CoreOptions,
    changed: (path: string) => void,
  ) {
    this.#namespace = namespace;
    this.#queue = queue;
    this.#keys = keys;
    this.#options = options;
    this.#changed = changed;
  }

  /** Whether the store has `name_$folder$` objects: a name that is not there may have one. */
  get hasFolderMarkers(): boolean {
    return this.#hasFolderMarkers;
  }

  /** Merges what was told of the names below `directory`; those of complete directories that were not told are gone. */
  async merge(directory: Located, node: ListedNode, seen: Observation): Promise<void> {
    const batch = new LearnBatch();
    this.#mergeChildren(directory, node, seen, batch);
    if (node.complete) batch.complete.push(directory);
    await this.#finish(batch, seen);
    if (node.marker) this.#mark(directory, node);
  }

  /** Merges one name of `directory`, and what was told of the names below it. */
  async mergeName(
    directory: Located,
    name: string,
    node: ListedNode,
    seen: Observation,
  ): Promise<void> {
    const batch = new LearnBatch();
    this.#mergeName(directory, name, node, seen, batch);
    await this.#finish(batch, seen);
  }

  /** All names of the directory were told: the others are gone, and unknown ones are absent until the TTL ends. */
  async complete(directory: Located, seen: Observation): Promise<void> {
    const { ino } = directory.entry;
    let looked = 0;
    for (const [name, entry] of this.#namespace.children(ino)) {
      looked += 1;
      if (looked % AT_ONCE === 0) await setImmediate();
      if (this.isTold(entry, seen) || seen.touched(ino, name) || this.isOurs(entry, seen)) continue;
      if (this.#namespace.get(ino, name)?.ino !== entry.ino) continue;
      this.#forget({ path: joinPath(directory.path, name), parent: ino, name, entry });
    }
    const current = this.#namespace.get(directory.parent, directory.name);
    if (current?.ino !== ino) return;
    const entry = { ...current, listedUntil: this.#listedUntil(seen) };
    this.#namespace.learn([{ parent: directory.parent, name: directory.name, entry }]);
  }

  /** As complete(), for the directory and all directories below it. */
  async completeBelow(directory: Located, seen: Observation): Promise<void> {
    const stack = [directory];
    for (let next = stack.pop(); next; next = stack.pop()) {
      await this.complete(next, seen);
      for (const [name, entry] of this.#namespace.children(next.entry.ino)) {
        const path = joinPath(next.path, name);
        if (isDirectory(entry)) stack.push({ path, parent: next.entry.ino, name, entry });
      }
    }
  }

  /** Whether S3 told of the name since the question began. */
  isTold(entry: NamespaceEntry, seen: Observation): boolean {
    return seen.saw.has(entry.ino) || entry.until > seen.startedAt + this.#options.statCacheTtlMs;
  }

  /** S3 has neither an object nor anything below: the name is gone unless it is ours. */
  absent(directory: Located, name: string, seen: Observation): void {
    const parent = directory.entry.ino;
    const entry = this.#namespace.get(parent, name);
    if (!entry || this.isOurs(entry, seen)) return;
    this.#forget({ path: joinPath(directory.path, name), parent, name, entry });
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

  #mergeChildren(directory: Located, node: ListedNode, seen: Observation, batch: LearnBatch): void {
    for (const [name, child] of node.children ?? []) {
      this.#mergeName(directory, name, child, seen, batch);
    }
  }

  #mergeName(
    directory: Located,
    name: string,
    node: ListedNode,
    seen: Observation,
    batch: LearnBatch,
  ): void {
    const parent = directory.entry.ino;
    const path = joinPath(directory.path, name);
    const isDirectoryNow = isListedDirectory(node);
    if (isDirectoryNow && node.object) reportShadowed(path);
    const known = this.#namespace.get(parent, name);
    let entry = known;
    if (!seen.touched(parent, name)) {
      entry =
        (isDirectoryNow ? this.#directoryEntry(path, known, node, seen) : undefined) ??
        (node.object && this.#fileEntry(path, known, node.object, seen));
      if (!entry) {
        // S3 has something there; what it will be is up to the queue
        if (known) seen.saw.add(known.ino);
        return;
      }
      batch.names.push({ parent, name, entry });
      if (known && (entry.ino !== known.ino || entry.generation !== known.generation)) {
        batch.changed.push({ path, parent, name, entry: known });
      }
    }
    if (!entry) return;
    seen.saw.add(entry.ino);
    if (!node.children || !isDirectory(entry)) return;
    const located = { path, parent, name, entry };
    this.#mergeChildren(located, node, seen, batch);
    if (node.complete && entry.ino === known?.ino) batch.complete.push(located);
  }

  async #finish(batch: LearnBatch, seen: Observation): Promise<void> {
    this.#namespace.learn(batch.names);
    for (const old of batch.changed) {
      if (isDirectory(old.entry)) this.#forgetBelow(old);
      this.#changed(old.path);
    }
    for (const directory of batch.complete) await this.complete(directory, seen);
  }

  /** The directory's own `name/` object is there. */
  #mark({ parent, name, entry }: Located, node: ListedNode): void {
    const current = this.#namespace.get(parent, name);
    if (current?.ino !== entry.ino) return;
    const marked = this.#toldDirectory(
      current.marker ? current : { ...current, marker: true },
      node,
    );
    if (marked !== current) this.#namespace.learn([{ parent, name, entry: marked }]);
  }

  /** From when the question began: later changes are not in the answer. */
  #listedUntil(seen: Observation): number {
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
      return this.#toldDirectory(entry, node);
    }
    if (known && this.isOurs(known, seen)) return undefined;
    if (!this.#hasLiveKeys(path, node, seen)) return undefined;
    const mode = FileType.directory | this.#options.dirMode;
    const listed = node.complete ? { listedUntil: this.#listedUntil(seen) } : {};
    const entry = newEntry(this.#namespace.nextIno(), mode, this.#options, {
      until,
      ...marker,
      ...listed,
    });
    return this.#toldDirectory(this.#adorn(path, entry), node);
  }

  #fileEntry(
    path: string,
    known: NamespaceEntry | undefined,
    object: ObjectInfo,
    seen: Observation,
  ): NamespaceEntry | undefined {
    const fate = this.#queue.fate(object.key);
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
  #toldDirectory(entry: NamespaceEntry, node: ListedNode): NamespaceEntry {
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
    const isLive = (object: ObjectInfo | undefined): boolean =>
      object !== undefined &&
      this.#queue.fate(object.key) !== "delete" &&
      !seen.removed(object.key);
    if (isLive(node.marker) || isLive(node.folderMarker)) return true;
    for (const [name, child] of node.children ?? []) {
      if (isLive(child.object) || this.#hasLiveKeys(joinPath(path, name), child, seen)) return true;
    }
    return false;
  }

  #forget(gone: Located): void {
    const fate = this.#queue.fate(this.#keys.toKey(gone.path));
    // until the queue is done with the key, a listing has nothing to say of it
    if (fate !== undefined && fate !== "delete") return;
    if (isDirectory(gone.entry)) this.#forgetBelow(gone);
    this.#namespace.learn([{ parent: gone.parent, name: gone.name, entry: undefined }]);
    this.#forgetAttributes(gone.path);
    this.#changed(gone.path);
  }

  #forgetBelow(gone: Located): void {
    const parent = gone.entry.ino;
    for (const [name, entry] of this.#namespace.children(parent)) {
      this.#forget({ path: joinPath(gone.path, name), parent, name, entry });
    }
  }

  /** What comes to this name later is another file. */
  #forgetAttributes(path: string): void {
    const { state } = this.#namespace;
    if (state.localAttributes(path) === undefined) return;
    state
      .mutate({ attributes: [{ path, attributes: undefined }] })
      .catch((error: unknown) => log.warn("Cannot forget the attributes of %j: %s", path, error));
  }
}

/** What one answer taught, until all of it is known. */
class LearnBatch {
  readonly names: NameChange[] = [];
  /** Names that stand for something else now, with what they stood for. */
  readonly changed: Located[] = [];
  /** Directories that were known before and of which every name was told. */
  readonly complete: Located[] = [];
}

/** Whether it exists on this host only, or its bytes are elsewhere than at its key. */
function isHeldHere(entry: NamespaceEntry): boolean {
  return entry.local === true || entry.staged !== undefined || entry.key !== undefined;
}

function isSameVersion(entry: NamespaceEntry, object: ObjectInfo): boolean {
  if (entry.size !== object.size) return false;
  if (object.etag === "" || entry.etag === undefined || entry.etag === "") {
    return entry.etag === object.etag || object.etag === "";
  }
  return entry.etag === object.etag;
}
