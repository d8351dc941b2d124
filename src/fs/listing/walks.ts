// Programs that go through a tree list one small directory after the other. Once that is noticed, the keys of the next
// ones are listed without a delimiter, from the directory that is asked for on: 1,000 keys at a time instead of one
// directory, and never a page before somebody comes to it.
import { compareBytewise } from "../../posix/byte-order.ts";
import { parentPath } from "../../posix/path.ts";
import type { ListPage } from "../../s3/object-store.ts";
import { ListedTree } from "./listed-tree.ts";
import type { ListingsParts } from "./listings.ts";
import type { Located, Observation } from "../namespace/namespace.ts";
import { PageOrder, type StoreOrder } from "./page-order.ts";
import { prefixOf } from "../core-options.ts";

/** Siblings that were listed before make a walk. */
const WALK = 2;

/** A pause of so many ms ends a walk. */
const PAUSE_MS = 10_000;

/** Walks remembered. */
const WALKS = 256;

interface Walk {
  /** Children listed one by one. */
  listed: number;
  /** Ms since the epoch. */
  at: number;
  /** The page under way. */
  page?: Promise<void> | undefined;
}

export class Walks {
  readonly #parts: ListingsParts;
  readonly #order: StoreOrder;
  /** By inode number of the directory whose children are listed. */
  readonly #walks = new Map<number, Walk>();

  constructor(parts: ListingsParts, order: StoreOrder) {
    this.#parts = parts;
    this.#order = order;
  }

  /** Called before a directory is listed; resolves when a page that may have made it known was learnt; rejects when S3 does not tell. */
  async come(directory: Located, isKnown: () => boolean): Promise<void> {
    const parent = this.#parentOf(directory);
    if (!parent) return;
    const walk = this.#walkIn(parent.entry.ino);
    if (walk.listed < WALK || !this.#order.isTrusted) {
      walk.listed += 1;
      return;
    }
    await walk.page;
    if (isKnown()) return;
    walk.page ??= this.#readPage(parent, directory).finally(() => {
      walk.page = undefined;
    });
    await walk.page;
    // directories of more than a page are better listed by themselves
    if (!isKnown()) walk.listed = 0;
  }

  #parentOf(directory: Located): Located | undefined {
    if (directory.path === "/") return undefined;
    const parent = this.#parts.namespace.known(parentPath(directory.path));
    return parent?.entry.ino === directory.parent ? parent : undefined;
  }

  #walkIn(ino: number): Walk {
    const now = Date.now();
    const before = this.#walks.get(ino);
    const walk = before && now - before.at < PAUSE_MS ? before : { listed: 0, at: now };
    walk.at = now;
    // the latest ones stay
    this.#walks.delete(ino);
    this.#walks.set(ino, walk);
    const [oldest] = this.#walks.keys();
    if (this.#walks.size > WALKS && oldest !== undefined) this.#walks.delete(oldest);
    return walk;
  }

  async #readPage(parent: Located, directory: Located): Promise<void> {
    const { namespace, store, keys } = this.#parts;
    const prefix = prefixOf(keys, parent.path);
    const seen = namespace.observe();
    try {
      const startAfter = `${prefix}${directory.name}`;
      const page = await store.listObjects({ prefix, startAfter });
      await this.#learn(parent, directory, page, seen);
    } finally {
      seen.end();
    }
  }

  async #learn(
    parent: Located,
    directory: Located,
    page: ListPage,
    seen: Observation,
  ): Promise<void> {
    const { namespace, keys, learner } = this.#parts;
    const { length } = prefixOf(keys, parent.path);
    const order = new PageOrder(this.#order, directory.name);
    const relative = page.objects.map(({ key }) => key.slice(length));
    order.add(relative, []);
    const current = namespace.get(parent.parent, parent.name);
    if (order.last === undefined || current?.ino !== parent.entry.ino) return;
    const tree = new ListedTree();
    for (const [i, info] of page.objects.entries()) tree.add(relative[i] ?? "", info);
    if (page.nextToken === undefined) tree.markComplete();
    else tree.markLeft(order.last);
    // the names before where the page began are not in it
    delete tree.root.complete;
    await learner.merge(parent, tree.root, seen);
    const hasNoKeys =
      !tree.root.children?.has(directory.name) &&
      (page.nextToken === undefined || compareBytewise(order.last, `${directory.name}0`) >= 0);
    // "0" is the character behind "/"
    if (hasNoKeys) await learner.complete(directory, seen);
  }
}
