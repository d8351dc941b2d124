// What a directory holds: from memory while it is known, else listed page by page.
import { log } from "../log.ts";
import { listAllPages } from "../s3/list-all-pages.ts";
import type { ObjectStore } from "../s3/object-store.ts";
import type { KeyMap } from "./core-options.ts";
import type { Learner } from "./learn.ts";
import { ListedTree, reportHidden } from "./listed-tree.ts";
import type { MaybePromise } from "./file-system.ts";
import type { Located, Namespace } from "./namespace.ts";
import { untilAborted } from "./until-aborted.ts";

export class Listings {
  readonly #namespace: Namespace;
  readonly #store: ObjectStore;
  readonly #keys: KeyMap;
  readonly #learner: Learner;
  readonly #listing = new Map<number, Promise<void>>();

  constructor(namespace: Namespace, store: ObjectStore, keys: KeyMap, learner: Learner) {
    this.#namespace = namespace;
    this.#store = store;
    this.#keys = keys;
    this.#learner = learner;
  }

  /** Resolves when all names of the directory are known; rejects with EIO when S3 does not tell. */
  known(directory: Located, signal: AbortSignal): MaybePromise<void> {
    const current = this.#namespace.get(directory.parent, directory.name) ?? directory.entry;
    if ((current.listedUntil ?? 0) > Date.now()) return;
    return untilAborted(this.refresh(directory), signal);
  }

  /** Lists the directory again, whatever is known of it. */
  refresh(directory: Located): Promise<void> {
    const { ino } = directory.entry;
    let listing = this.#listing.get(ino);
    if (!listing) {
      listing = this.#list(directory).finally(() => this.#listing.delete(ino));
      this.#listing.set(ino, listing);
    }
    return listing;
  }

  /** Lists everything below the directory, without a delimiter. */
  async refreshDeep(directory: Located): Promise<void> {
    await this.#listInto(directory, true);
  }

  async #list(directory: Located): Promise<void> {
    try {
      await this.#listInto(directory, false);
    } catch (error) {
      const current = this.#namespace.get(directory.parent, directory.name);
      if (!current?.listedUntil) throw error;
      log.debug("S3 did not list %j, serving what was known: %s", directory.path, error);
    }
  }

  async #listInto(directory: Located, deep: boolean): Promise<void> {
    const root = this.#keys.toKey(directory.path);
    const prefix = directory.path === "/" ? root : `${root}/`;
    const seen = this.#namespace.observe();
    const tree = new ListedTree();
    try {
      const delimiter = deep ? {} : { delimiter: "/" as const };
      for await (const page of listAllPages(this.#store, { prefix, ...delimiter })) {
        for (const info of page.objects) tree.add(info.key.slice(prefix.length), info);
        for (const common of page.commonPrefixes) tree.addPrefix(common.slice(prefix.length));
      }
      reportHidden(directory.path, tree.hidden);
      this.#learner.merge(directory, tree.root, seen, { complete: true, deep });
    } finally {
      seen.end();
    }
  }
}
