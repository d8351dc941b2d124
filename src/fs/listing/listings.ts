// What a directory holds: from memory while it is known, else listed page by page.
import { log } from "../../log.ts";
import { listPages } from "../../s3/list-pages.ts";
import type { ObjectStore } from "../../s3/object-store.ts";
import type { Completeness } from "./completeness.ts";
import { type CoreOptions, type KeyMap, prefixOf } from "../core-options.ts";
import { DirectoryListing } from "./directory-listing.ts";
import type { Learner } from "./learn.ts";
import { ListedTree, reportHidden } from "./listed-tree.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import type { StoreOrder } from "./page-order.ts";
import { untilAborted } from "../until-aborted.ts";
import { Walks } from "./walks.ts";

/** Behind its second page a listing is read ahead: who wants two of them wants all. */
const AHEAD_FROM = 1;

/** What the listings work with. */
export interface ListingsParts {
  readonly namespace: Namespace;
  readonly store: ObjectStore;
  readonly keys: KeyMap;
  readonly learner: Learner;
  readonly options: CoreOptions;
  readonly completeness: Completeness;
  /** What listings have shown of the store's order. */
  readonly order: StoreOrder;
}

export class Listings {
  readonly order: StoreOrder;
  readonly walks: Walks;
  readonly #parts: ListingsParts;
  /** By inode number; each is fresh enough for whoever comes within the TTL. */
  readonly #going = new Map<number, DirectoryListing>();

  constructor(parts: ListingsParts) {
    this.#parts = parts;
    this.order = parts.order;
    this.walks = new Walks(parts, this.order);
  }

  /** Whether all names of the directory are known. */
  areKnown(directory: Located): boolean {
    const { parent, name, entry } = directory;
    const current = this.#parts.namespace.get(parent, name) ?? entry;
    const isCovered = this.#parts.completeness.coversPlace(current.ino, directory.path);
    return isCovered || (current.listedUntil ?? 0) > Date.now();
  }

  /** Whether the names of the directory need not be asked for, whatever their age. */
  areCovered(ino: number): boolean {
    return this.#parts.completeness.covers(ino);
  }

  /** Whether they were known once: in trouble that is better than nothing. */
  wereKnown(directory: Located): boolean {
    const { parent, name, entry } = directory;
    return (this.#parts.namespace.get(parent, name) ?? entry).listedUntil !== undefined;
  }

  /** A listing of the directory, one that is under way if it is fresh. */
  list(directory: Located): DirectoryListing {
    const { namespace, store, learner } = this.#parts;
    const { ino } = directory.entry;
    const going = this.#going.get(ino);
    if (going && this.#isFresh(going)) return going;
    const prefix = prefixOf(this.#parts.keys, directory.path);
    const pages = listPages(store, { prefix, delimiter: "/" }, AHEAD_FROM);
    const parts = { namespace, learner, order: this.order, store };
    const listing = new DirectoryListing(directory, prefix, parts, pages, () => {
      if (this.#going.get(ino) === listing) this.#going.delete(ino);
    });
    this.#going.set(ino, listing);
    return listing;
  }

  /** Resolves to whether there is any name in the directory; rejects with EIO when S3 does not tell. */
  async hasNames(directory: Located, signal: AbortSignal): Promise<boolean> {
    const { namespace } = this.#parts;
    const { ino } = directory.entry;
    if (!this.areKnown(directory)) {
      const listing = this.list(directory);
      while (listing.state === "going") {
        try {
          await untilAborted(listing.next(), signal);
          for (const [, entry] of namespace.children(ino)) if (listing.stands(entry)) return true;
        } catch (error) {
          if (signal.aborted || !this.wereKnown(directory)) throw error;
          log.debug("S3 did not list %j, serving what was known: %s", directory.path, error);
          break;
        }
      }
    }
    return namespace.hasChildren(ino);
  }

  /** Lists everything below the directory, without a delimiter, whatever is known of it. */
  async refreshDeep(directory: Located): Promise<void> {
    const { namespace, store, keys, learner, completeness } = this.#parts;
    const prefix = prefixOf(keys, directory.path);
    const seen = namespace.observe();
    let hidden = 0;
    try {
      for await (const page of listPages(store, { prefix }, 0)) {
        const tree = new ListedTree();
        for (const info of page.objects) tree.add(info.key.slice(prefix.length), info);
        hidden += tree.hidden;
        await learner.merge(directory, tree.root, seen);
      }
      reportHidden(directory.path, hidden);
      await learner.completeBelow(directory, seen);
      completeness.settle((ino) => ino === directory.entry.ino || seen.saw.has(ino));
    } finally {
      seen.end();
    }
  }

  #isFresh(listing: DirectoryListing): boolean {
    const { statCacheTtlMs } = this.#parts.options;
    // one without a page yet is still a question; with a TTL of 0 others' changes since it began are to be seen
    if (listing.pages === 0) return statCacheTtlMs > 0;
    return listing.startedAt + statCacheTtlMs > Date.now();
  }
}
