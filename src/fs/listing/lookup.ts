// Name resolution: from memory where it is known, else by asking S3 for one name (HEAD of the key and LIST below it,
// side by side). Absent is only what S3 said is absent; trouble serves what was known before, or rejects.
import { LRUCache } from "lru-cache";
import { FsError } from "../../posix/errno.ts";
import { joinPath, parentPath, splitPath } from "../../posix/path.ts";
import { isDirectory } from "../../posix/stat.ts";
import { listPages } from "../../s3/list-pages.ts";
import type { ListPage, ObjectInfo, ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { log } from "../../log.ts";
import type { Completeness } from "./completeness.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { Crowds } from "./crowds.ts";
import type { MaybePromise } from "../file-system.ts";
import type { Learner } from "./learn.ts";
import type { Describer } from "./describer.ts";
import { ListedTree } from "./listed-tree.ts";
import type { Listings, ListingsParts } from "./listings.ts";
import type { Located, Namespace, Observation } from "../namespace/namespace.ts";
import { folderMarkerKey, folderOfMarker } from "../namespace/markers.ts";
import { PageOrder, type StoreOrder } from "./page-order.ts";
import { untilAborted } from "../until-aborted.ts";

/** Names remembered as absent; a name costs about 200 bytes. */
const NEGATIVE_NAMES = 50_000;

export class Lookup {
  readonly #namespace: Namespace;
  readonly #store: ObjectStore;
  readonly #keys: KeyMap;
  readonly #learner: Learner;
  readonly #options: CoreOptions;
  readonly #completeness: Completeness;
  readonly #crowds: Crowds;
  readonly #storeOrder: StoreOrder;
  readonly #describer: Describer;
  readonly #asking = new Map<string, Promise<void>>();
  /** Name -> ms since the epoch until which it is absent. */
  readonly #absent = new LRUCache<string, number>({ max: NEGATIVE_NAMES });

  constructor(parts: ListingsParts & { readonly describer: Describer }, listings: Listings) {
    this.#namespace = parts.namespace;
    this.#store = parts.store;
    this.#keys = parts.keys;
    this.#learner = parts.learner;
    this.#options = parts.options;
    this.#describer = parts.describer;
    this.#completeness = parts.completeness;
    this.#storeOrder = listings.order;
    this.#crowds = new Crowds(parts.namespace, listings);
  }

  /** What `path` stands for; undefined when the last name is absent; rejects with ENOENT or ENOTDIR above it. */
  resolve(path: string, signal?: AbortSignal): MaybePromise<Located | undefined> {
    return this.#walk(this.#namespace.root(), splitPath(path), 0, signal);
  }

  /** As resolve(), but absent rejects with ENOENT. */
  existing(path: string, signal?: AbortSignal): MaybePromise<Located> {
    const found = this.resolve(path, signal);
    return found instanceof Promise
      ? found.then((now) => required(now, path))
      : required(found, path);
  }

  /** Forgets that names below a directory were absent, and what was known of `path` itself becomes a guess. */
  forgetAbsent(): void {
    this.#absent.clear();
  }

  #walk(
    from: Located,
    names: readonly string[],
    index: number,
    signal: AbortSignal | undefined,
    mayAsk = true,
  ): MaybePromise<Located | undefined> {
    let directory = from;
    let doubted: Located | undefined;
    for (let i = index; i < names.length; i += 1) {
      const name = names[i] ?? "";
      const isLast = i === names.length - 1;
      if (!isDirectory(directory.entry)) {
        throw new FsError("ENOTDIR", `Cannot look below "${directory.path}": not a directory`);
      }
      const known = this.#known(directory, name, isLast);
      if (known === "unknown") return this.#ask(directory, names, i, signal, { doubted, mayAsk });
      if (known === "absent") return this.#absentAt(directory, name, isLast);
      directory = known;
      if (!this.#isCurrent(known)) doubted = known;
    }
    if (this.#describer.knows(directory.entry)) return directory;
    if (mayAsk) return this.#describe(directory, signal);
    throw new FsError(
      "EIO",
      `Cannot tell the attributes of "${directory.path}": it keeps changing`,
    );
  }

  /** The name with its attributes; its object may be gone or another one by then. */
  async #describe(located: Located, signal: AbortSignal | undefined): Promise<Located | undefined> {
    const asking = this.#describer.ask(located);
    await (signal ? untilAborted(asking, signal) : asking);
    const { path, parent, name } = located;
    const entry = this.#namespace.get(parent, name);
    if (entry && this.#describer.knows(entry)) return { ...located, entry };
    return this.#walk(this.#namespace.root(), splitPath(path), 0, signal, false);
  }

  #absentAt(directory: Located, name: string, isLast: boolean): undefined {
    if (isLast) return undefined;
    throw new FsError("ENOENT", `Cannot find "${joinPath(directory.path, name)}"`);
  }

  #isCurrent({ parent, path, entry }: Pick<Located, "parent" | "path" | "entry">): boolean {
    // 0: somebody knows that it is wrong
    const isCovered = entry.until > 0 && this.#completeness.coversPlace(parent, path, true);
    return isCovered || entry.until > Date.now();
  }

  /** On the way to a name below it a directory may be old: a name that is found below it proves it. */
  #known(directory: Located, name: string, isLast: boolean): Located | "absent" | "unknown" {
    const ino = directory.entry.ino;
    const entry = this.#namespace.get(ino, name);
    if (entry) {
      const found = { path: joinPath(directory.path, name), parent: ino, name, entry };
      const isGood = this.#isCurrent(found) || (!isLast && isDirectory(entry));
      return isGood ? found : "unknown";
    }
    const now = Date.now();
    if (this.#completeness.coversPlace(ino, directory.path)) return "absent";
    if ((directory.entry.listedUntil ?? 0) > now) return "absent";
    return (this.#absent.get(`${ino}/${name}`) ?? 0) > now ? "absent" : "unknown";
  }

  async #ask(
    directory: Located,
    names: readonly string[],
    index: number,
    signal: AbortSignal | undefined,
    { doubted, mayAsk }: { doubted: Located | undefined; mayAsk: boolean },
  ): Promise<Located | undefined> {
    const name = names[index] ?? "";
    await this.#question(directory, name, signal);
    const entry = this.#namespace.get(directory.entry.ino, name);
    if (entry) {
      const path = joinPath(directory.path, name);
      const found = { path, parent: directory.entry.ino, name, entry };
      return this.#walk(found, names, index + 1, signal, mayAsk);
    }
    // nothing is there: perhaps because the directory itself is another one, or none, by now
    if (doubted && !(await this.#isStillThere(doubted, signal))) {
      return this.#walk(this.#namespace.root(), names, 0, signal, mayAsk);
    }
    return this.#absentAt(directory, name, index === names.length - 1);
  }

  /** Asks S3 for one name, once however many want to know. */
  #question(directory: Located, name: string, signal: AbortSignal | undefined): Promise<void> {
    const path = joinPath(directory.path, name);
    if (Math.min(this.#options.statCacheTtlMs, this.#options.negativeTtlMs) === 0) {
      // others' changes are to be seen at once: a question that began before may have its answer from before
      const own = this.#askStore(directory, name, path);
      return signal ? untilAborted(own, signal) : own;
    }
    let asking = this.#asking.get(path);
    if (!asking) {
      asking = this.#crowds
        .ask(directory, name, () => this.#askStore(directory, name, path))
        .finally(() => this.#asking.delete(path));
      this.#asking.set(path, asking);
    }
    return signal ? untilAborted(asking, signal) : asking;
  }

  async #isStillThere(doubted: Located, signal: AbortSignal | undefined): Promise<boolean> {
    const { parent, name, path, entry } = doubted;
    const above = this.#namespace.known(parentPath(path));
    if (above?.entry.ino === parent) await this.#question(above, name, signal);
    return this.#namespace.get(parent, name)?.ino === entry.ino;
  }

  async #askStore(directory: Located, name: string, path: string): Promise<void> {
    const key = this.#keys.toKey(path);
    const seen = this.#namespace.observe();
    try {
      const [head, list] = await Promise.allSettled([
        this.#store.headObject(key),
        this.#store.listObjects({ prefix: `${key}/` }),
      ]);
      const object = head.status === "fulfilled" ? head.value : undefined;
      const below = list.status === "fulfilled" ? list.value.objects : [];
      const failure =
        head.status === "rejected" ? head : list.status === "rejected" ? list : undefined;
      const known = this.#namespace.get(directory.entry.ino, name);
      const mayBeDirectory =
        list.status === "rejected" && known !== undefined && isDirectory(known);
      if (failure && below.length === 0 && (!object || mayBeDirectory)) {
        this.#inTrouble(directory, name, path, failure.reason);
        return;
      }
      const tree = new ListedTree();
      if (object && folderOfMarker(name, object.size) === undefined) tree.add(name, object);
      else if (below.length === 0) await this.#addFolderMarker(tree, key, name, known);
      for (const info of below) tree.add(`${name}/${info.key.slice(key.length + 1)}`, info);
      // keys that no path can name make a directory too, as in a listing of its parent
      if (below.length > 0) tree.addPrefix(`${name}/`);
      if (list.status === "fulfilled") markComplete(tree, name, key, list.value, this.#storeOrder);
      // a directory that is known stands without a proof
      if (list.status === "fulfilled" && !(known && isDirectory(known)))
        await this.#addLive(tree, name, key, list.value, seen);
      const node = tree.root.children?.get(name);
      if (node) await this.#learner.mergeName(directory, name, node, seen);
      else this.#learnAbsent(directory, name, seen);
      if (node && this.#isHidden(key, object, seen)) this.#noteAbsent(directory, name, seen);
    } finally {
      seen.end();
    }
  }

  /** Adds a key behind the first page, where nothing of that is to be seen. */
  async #addLive(
    tree: ListedTree,
    name: string,
    key: ObjectKey,
    { objects, nextToken }: ListPage,
    seen: Observation,
  ): Promise<void> {
    const isLive = (object: ObjectInfo): boolean => this.#learner.isLive(object, seen);
    if (nextToken === undefined || objects.some(isLive)) return;
    const rest = { prefix: `${key}/`, continuationToken: nextToken };
    for await (const page of listPages(this.#store, rest)) {
      const live = page.objects.find(isLive);
      if (live) tree.add(`${name}/${live.key.slice(key.length + 1)}`, live);
      if (live) return;
    }
  }

  /** Whether delayed deletes are why nothing of what is there may be seen. */
  #isHidden(key: ObjectKey, object: ObjectInfo | undefined, seen: Observation): boolean {
    if (object !== undefined) return !this.#learner.isLive(object, seen);
    return this.#learner.delaysBelow(`${key}/`);
  }

  /** Hadoop's kind of an empty directory; worth a request only where there are others of the kind. */
  async #addFolderMarker(
    tree: ListedTree,
    key: ObjectKey,
    name: string,
    known: NamespaceEntry | undefined,
  ): Promise<void> {
    if (known?.folderMarker !== true && !this.#learner.hasFolderMarkers) return;
    const marker = await this.#store.headObject(folderMarkerKey(key));
    if (marker?.size === 0) tree.add(folderMarkerKey(name), marker);
  }

  #learnAbsent(directory: Located, name: string, seen: Observation): void {
    const parent = directory.entry.ino;
    if (seen.touched(parent, name)) return;
    this.#learner.absent(directory, name, seen);
    this.#noteAbsent(directory, name, seen);
  }

  #noteAbsent(directory: Located, name: string, seen: Observation): void {
    const parent = directory.entry.ino;
    if (seen.touched(parent, name) || this.#namespace.get(parent, name)) return;
    this.#absent.set(`${parent}/${name}`, Date.now() + this.#options.negativeTtlMs);
  }

  /** A name known before goes on being served for a second; anything else is the caller's error, never "absent". */
  #inTrouble(directory: Located, name: string, path: string, reason: unknown): void {
    const known = this.#namespace.get(directory.entry.ino, name);
    if (!known) throw reason;
    log.debug("S3 did not answer for %j, serving what was known: %s", path, reason);
    const entry = { ...known, until: Date.now() + 1000 };
    this.#namespace.learn([{ parent: directory.entry.ino, name, entry }]);
  }
}

/** What the answer tells of whole directories: with its first page a store that lists in order tells all of some. */
function markComplete(
  tree: ListedTree,
  name: string,
  key: string,
  page: ListPage,
  storeOrder: StoreOrder,
): void {
  if (page.nextToken === undefined) {
    tree.markComplete();
    return;
  }
  const order = new PageOrder(storeOrder);
  order.add(
    page.objects.map((object) => object.key.slice(key.length)),
    [],
  );
  if (order.last !== undefined && storeOrder.isTrusted) tree.markLeft(`${name}${order.last}`);
}

function required(found: Located | undefined, path: string): Located {
  if (!found) throw new FsError("ENOENT", `Cannot find "${path}"`);
  return found;
}
