// Merges what a listing said into the namespace. Ours wins wherever S3 has not caught up with us: names changed since
// the listing began, staged files, renames that are still being copied, keys that are to be deleted.
import { setImmediate } from "node:timers/promises";
import { isDirectory } from "../../posix/stat.ts";
import { log } from "../../log.ts";
import { joinPath } from "../../posix/path.ts";
import type { ObjectInfo } from "../../s3/object-store.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import type { UploadQueue } from "../../spool/spool.ts";
import type { Completeness } from "./completeness.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { isSameVersion } from "../namespace/entry-content.ts";
import { LearnBatch } from "./learn-batch.ts";
import { ListedEntries } from "./listed-entries.ts";
import type { ListedNode } from "./listed-tree.ts";
import type { Located, Namespace, Observation } from "../namespace/namespace.ts";

/** Names looked at before other calls get their turn: about 2 ms. */
const AT_ONCE = 512;

export class Learner {
  readonly #namespace: Namespace;
  readonly #queue: UploadQueue;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  /** Called for each name that stands for something else now. */
  readonly #changed: (path: string) => void;
  readonly #completeness: Completeness;
  readonly #entries: ListedEntries;

  constructor(
    namespace: Namespace,
    queue: UploadQueue,
    keys: KeyMap,
    options: CoreOptions,
    changed: (path: string) => void,
    completeness: Completeness,
  ) {
    this.#namespace = namespace;
    this.#queue = queue;
    this.#keys = keys;
    this.#options = options;
    this.#changed = changed;
    this.#completeness = completeness;
    this.#entries = new ListedEntries(namespace, queue, keys, options);
  }

  /** Whether the store has `name_$folder$` objects: a name that is not there may have one. */
  get hasFolderMarkers(): boolean {
    return this.#entries.hasFolderMarkers;
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

  /**
   * Merges one name, without what is below it; returns what it stands for then, undefined when S3's view does not count.
   * What is to be learnt is put to `names`, and must be before anybody else has a turn.
   */
  learnName(
    place: Omit<Located, "entry"> & { readonly entry: NamespaceEntry | undefined },
    node: ListedNode,
    seen: Observation,
    names: NameChange[],
  ): NamespaceEntry | undefined {
    const { path, parent, name, entry: known } = place;
    if (seen.touched(parent, name)) return known;
    const entry = this.#entries.meantBy(path, known, node, seen);
    if (!entry) return undefined;
    names.push({ parent, name, entry });
    if (known && (entry.ino !== known.ino || entry.generation !== known.generation)) {
      if (isDirectory(known)) this.#forgetBelow({ path, parent, name, entry: known });
      this.#changed(path);
    }
    return entry;
  }

  /** Whether a listing that has the object has nothing to tell of the name; attributes in objects are in no listing. */
  isUnchanged(entry: NamespaceEntry, object: ObjectInfo): boolean {
    const isCertain = this.#options.metadata !== "object" || entry.attributed === true;
    return isCertain && entry.until > 0 && isSameVersion(entry, object);
  }

  /** Whether the marker of a known directory may tell something new. */
  isTelling(node: ListedNode): boolean {
    return this.#options.metadata === "object" && node.marker !== undefined;
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
    const entry = { ...current, listedUntil: this.#entries.listedUntil(seen) };
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

  /** Contract: ListedEntries.isLive. */
  isLive(object: ObjectInfo, seen: Observation): boolean {
    return this.#entries.isLive(object, seen);
  }

  /** Whether keys below `prefix` are hidden, until their delayed deletes are done. */
  delaysBelow(prefix: string): boolean {
    return this.#queue.delaysBelow(prefix);
  }

  /** Whether keys below `prefix` are, or were since the question began, there to be deleted by us. */
  removesBelow(prefix: string, seen: Observation): boolean {
    return this.#queue.removesBelow(prefix) || seen.removedBelow(prefix);
  }

  /** Contract: ListedEntries.isOurs. */
  isOurs(entry: NamespaceEntry, seen: Observation): boolean {
    return this.#entries.isOurs(entry, seen);
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
    const known = this.#namespace.get(parent, name);
    let entry = known;
    if (!seen.touched(parent, name)) {
      entry = this.#entries.meantBy(path, known, node, seen);
      const directoryHere = entry ?? known;
      if (node.object && directoryHere && isDirectory(directoryHere)) {
        this.#namespace.noteHiding(directoryHere.ino);
      }
      // not S3's to say, or nothing that stays: complete() keeps what is ours, was touched, or is being made by the queue
      if (!entry) return;
      batch.names.push({ parent, name, entry });
      if (known && (entry.ino !== known.ino || entry.generation !== known.generation)) {
        batch.changed.push({ path, parent, name, entry: known });
      }
    }
    if (!entry) return;
    seen.saw.add(entry.ino);
    if (isDirectory(entry) && entry.ino !== known?.ino && !node.complete) {
      this.#completeness.found({ ino: entry.ino, path });
    }
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
    const marked = this.#entries.toldDirectory(
      current.marker ? current : { ...current, marker: true },
      node,
    );
    if (marked !== current) this.#namespace.learn([{ parent, name, entry: marked }]);
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
