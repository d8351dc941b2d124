// Merges what a listing said into the namespace. Ours wins wherever S3 has not caught up with us: names changed since
// the listing began, staged files, renames that are still being copied, keys that are to be deleted.
import { FileType, isDirectory } from "../posix/stat.ts";
import { log } from "../log.ts";
import { joinPath } from "../posix/path.ts";
import type { ObjectInfo } from "../s3/object-store.ts";
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import type { UploadQueue } from "../spool/spool.ts";
import type { CoreOptions, KeyMap } from "./core-options.ts";
import { newEntry } from "./entries.ts";
import { isListedDirectory, type ListedNode, reportShadowed } from "./listed-tree.ts";
import type { Located, Namespace, Observation } from "./namespace.ts";

export class Learner {
  readonly #namespace: Namespace;
  readonly #queue: UploadQueue;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  /** Called for each name that stands for something else now. */
  readonly #changed: (path: string) => void;

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

  /** Merges the names below `directory`. */
  merge(directory: Located, node: ListedNode, seen: Observation, scope: Scope): void {
    for (const [name, child] of node.children ?? []) {
      this.mergeName(directory, name, child, seen, scope);
    }
    const { parent, name, path } = directory;
    const ino = directory.entry.ino;
    if (scope.complete) {
      for (const [childName, entry] of this.#namespace.children(ino)) {
        if (node.children?.has(childName) || seen.touched(ino, childName)) continue;
        if (this.#isOurs(entry)) continue;
        this.#forget({ path: joinPath(path, childName), parent: ino, name: childName, entry });
      }
    }
    const current = this.#namespace.get(parent, name);
    if (current?.ino !== ino) return;
    const listedUntil = Date.now() + this.#options.statCacheTtlMs;
    const marked = node.marker && !current.marker ? { ...current, marker: true } : current;
    const entry = scope.complete ? { ...marked, listedUntil } : marked;
    if (entry !== current) this.#namespace.learn([{ parent, name, entry }]);
  }

  /** Merges one name of `directory`, and what was listed below it. */
  mergeName(
    directory: Located,
    name: string,
    node: ListedNode,
    seen: Observation,
    scope: Scope,
  ): void {
    const parent = directory.entry.ino;
    const path = joinPath(directory.path, name);
    const isDirectoryNow = isListedDirectory(node);
    if (isDirectoryNow && node.object) reportShadowed(path);
    let entry = this.#namespace.get(parent, name);
    if (!seen.touched(parent, name)) {
      const merged =
        (isDirectoryNow ? this.#directoryEntry(path, entry, node, seen) : undefined) ??
        (node.object && this.#fileEntry(path, entry, node.object, seen));
      if (!merged) return;
      this.#namespace.learn([{ parent, name, entry: merged }]);
      if (entry && (merged.ino !== entry.ino || merged.generation !== entry.generation)) {
        this.#changed(path);
      }
      entry = merged;
    }
    if (!node.children || !entry || !isDirectory(entry)) return;
    const inside = { complete: scope.complete && scope.deep, deep: scope.deep };
    this.merge({ path, parent, name, entry }, node, seen, inside);
  }

  /** S3 has neither an object nor anything below: the name is gone unless it is ours. */
  absent(directory: Located, name: string): void {
    const parent = directory.entry.ino;
    const entry = this.#namespace.get(parent, name);
    if (!entry || this.#isOurs(entry)) return;
    this.#forget({ path: joinPath(directory.path, name), parent, name, entry });
  }

  #directoryEntry(
    path: string,
    known: NamespaceEntry | undefined,
    node: ListedNode,
    seen: Observation,
  ): NamespaceEntry | undefined {
    const until = Date.now() + this.#options.statCacheTtlMs;
    if (known && isDirectory(known)) return { ...known, until: known.local ? Infinity : until };
    if (known && this.#isOurs(known)) return undefined;
    if (!this.#hasLiveKeys(path, node, seen)) return undefined;
    const mode = FileType.directory | this.#options.dirMode;
    return this.#adorn(path, newEntry(this.#namespace.nextIno(), mode, this.#options, { until }));
  }

  #fileEntry(
    path: string,
    known: NamespaceEntry | undefined,
    object: ObjectInfo,
    seen: Observation,
  ): NamespaceEntry | undefined {
    if (this.#queue.fate(object.key) !== undefined || seen.removed(object.key)) return undefined;
    if (known && this.#isOurs(known)) return undefined;
    const until = Date.now() + this.#options.statCacheTtlMs;
    const isFile = known !== undefined && (known.mode & FileType.mask) === FileType.file;
    if (isFile && isSameVersion(known, object)) return { ...known, until };
    const time = BigInt(object.lastModified) * 1_000_000n;
    const content = { size: object.size, etag: object.etag, mtime: time, ctime: time, until };
    if (isFile) return { ...known, ...content, generation: this.#namespace.nextIno() };
    const mode = FileType.file | this.#options.fileMode;
    const ino = this.#namespace.nextIno();
    return this.#adorn(path, newEntry(ino, mode, this.#options, { ...content, atime: time }));
  }

  /** Local attributes that outlived the index (it was rebuilt, or the name was unknown for a while). */
  #adorn(path: string, entry: NamespaceEntry): NamespaceEntry {
    const local = this.#namespace.state.localAttributes(path);
    if (!local || (local.mode & FileType.mask) !== (entry.mode & FileType.mask)) return entry;
    const { mtime, atime, ctime } = entry;
    return { ...entry, mtime, atime, ctime, ...local, rdev: local.rdev ?? 0, attributed: true };
  }

  /** Whether S3's view of the name does not count (yet). */
  #isOurs(entry: NamespaceEntry): boolean {
    if (entry.local || entry.staged !== undefined || entry.key !== undefined) return true;
    if ((entry.mode & FileType.mask) !== FileType.file) {
      if (!isDirectory(entry)) return true;
      for (const [, child] of this.#namespace.children(entry.ino)) {
        if (this.#isOurs(child)) return true;
      }
    }
    return false;
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
    if (isLive(node.marker)) return true;
    for (const [name, child] of node.children ?? []) {
      if (isLive(child.object) || this.#hasLiveKeys(joinPath(path, name), child, seen)) return true;
    }
    return false;
  }

  #forget(gone: Located): void {
    if (this.#queue.fate(this.#keys.toKey(gone.path)) === "copy") return;
    if (isDirectory(gone.entry)) {
      const parent = gone.entry.ino;
      for (const [name, entry] of this.#namespace.children(parent)) {
        this.#forget({ path: joinPath(gone.path, name), parent, name, entry });
      }
    }
    this.#namespace.learn([{ parent: gone.parent, name: gone.name, entry: undefined }]);
    this.#forgetAttributes(gone.path);
    this.#changed(gone.path);
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

/** How much of the truth a listing holds. */
export interface Scope {
  /** It had every key there is: names it lacks are gone, and what it covers is known until the TTL ends. */
  readonly complete: boolean;
  /** It covered everything below, not one level. */
  readonly deep: boolean;
}

function isSameVersion(entry: NamespaceEntry, object: ObjectInfo): boolean {
  if (entry.size !== object.size) return false;
  if (object.etag === "" || entry.etag === undefined || entry.etag === "") {
    return entry.etag === object.etag || object.etag === "";
  }
  return entry.etag === object.etag;
}
