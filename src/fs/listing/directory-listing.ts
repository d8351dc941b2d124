// One LIST of one directory, page by page and only as far as somebody asks; what a page tells is learnt as it comes.
import { compareBytewise } from "../../posix/byte-order.ts";
import { joinPath } from "../../posix/path.ts";
import { listPages } from "../../s3/list-pages.ts";
import type { ListPage, ObjectStore } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { Learner } from "./learn.ts";
import { ListedTree, reportHidden } from "./listed-tree.ts";
import type { Located, Namespace, Observation } from "../namespace/namespace.ts";
import { PageOrder, type StoreOrder } from "./page-order.ts";

/** A listing that nobody goes on with for so long is given up; whoever comes back starts another one. */
const IDLE_MS = 30_000;

/** What a listing works with. */
export interface ListingParts {
  readonly namespace: Namespace;
  readonly learner: Learner;
  readonly order: StoreOrder;
  readonly store: Pick<ObjectStore, "listObjects">;
}

/** A page that was merged. */
export interface MergedPage {
  readonly objects: number;
  readonly prefixes: number;
}

/**
 * Pages are asked for one after the other, however many wait. The listing ends when all pages were merged ("complete"),
 * with an error, or when the directory is another one meanwhile or nobody came for long ("abandoned").
 */
export class DirectoryListing {
  state: "going" | "complete" | "failed" | "abandoned" = "going";
  /** Pages merged so far. */
  pages = 0;
  lastPage: MergedPage | undefined;
  readonly order: PageOrder;
  readonly #directory: Located;
  readonly #prefix: string;
  readonly #parts: ListingParts;
  readonly #source: AsyncIterator<ListPage, void>;
  readonly #seen: Observation;
  readonly #ended: () => void;
  #turn: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #hidden = 0;

  /** `prefix` is that of the directory's keys; `ended` is called once. */
  constructor(
    directory: Located,
    prefix: string,
    parts: ListingParts,
    source: AsyncIterator<ListPage, void>,
    ended: () => void,
  ) {
    this.#directory = directory;
    this.#prefix = prefix;
    this.#parts = parts;
    this.#source = source;
    this.#ended = ended;
    this.order = new PageOrder(parts.order);
    this.#seen = parts.namespace.observe();
    this.#watch();
  }

  /** Ms since the epoch. */
  get startedAt(): number {
    return this.#seen.startedAt;
  }

  /** Resolves when another page was merged or the listing has ended; rejects when S3 does not tell, which ends it. */
  next(): Promise<void> {
    if (this.state !== "going") return Promise.resolve();
    this.#turn ??= this.#advance().finally(() => {
      this.#turn = undefined;
    });
    return this.#turn;
  }

  /** Whether S3 told of the entry in this listing, or it needs no telling. */
  stands(entry: NamespaceEntry): boolean {
    return (
      this.#parts.learner.isTold(entry, this.#seen) || this.#parts.learner.isOurs(entry, this.#seen)
    );
  }

  /** Whether everything at `name` would have been told by now. */
  hasPassed(name: string): boolean {
    const { last } = this.order;
    return last !== undefined && compareBytewise(`${name}/`, last) <= 0;
  }

  async #advance(): Promise<void> {
    this.#watch();
    try {
      const { value: page } = await this.#source.next();
      if (this.state !== "going") return;
      if (!page || !this.#isSameDirectory()) {
        this.#end("abandoned");
        return;
      }
      await this.#merge(page);
      if (page.nextToken === undefined) await this.#complete();
    } catch (error) {
      this.#end("failed");
      throw error;
    }
  }

  async #merge(page: ListPage): Promise<void> {
    const tree = new ListedTree();
    const keys = page.objects.map(({ key }) => key.slice(this.#prefix.length));
    const prefixes = page.commonPrefixes.map((prefix) => prefix.slice(this.#prefix.length));
    for (const [i, info] of page.objects.entries()) tree.add(keys[i] ?? "", info);
    for (const prefix of prefixes) tree.addPrefix(prefix);
    for (const prefix of prefixes) await this.#lookInto(prefix, tree);
    this.#hidden += tree.hidden;
    await this.#parts.learner.merge(this.#directory, tree.root, this.#seen);
    this.order.add(keys, prefixes);
    this.pages += 1;
    this.lastPage = { objects: keys.length, prefixes: prefixes.length };
  }

  /** Adds a key below a prefix where deletes of ours may have left none. */
  async #lookInto(prefix: string, tree: ListedTree): Promise<void> {
    const { namespace, learner, store } = this.#parts;
    const path = joinPath(this.#directory.path, prefix.slice(0, -1));
    if (!namespace.unsure.has(path) && !this.#mayBeHidden(prefix)) return;
    for await (const { objects } of listPages(store, { prefix: this.#prefix + prefix })) {
      const left = objects.find((object) => learner.isLive(object, this.#seen));
      if (left === undefined) continue;
      tree.add(left.key.slice(this.#prefix.length), left);
      break;
    }
    namespace.unsure.delete(path);
  }

  /** Whether a directory is unknown, and some of its keys, or all, are to be deleted: then they do not make it one. */
  #mayBeHidden(prefix: string): boolean {
    const { namespace, learner } = this.#parts;
    if (namespace.get(this.#directory.entry.ino, prefix.slice(0, -1))) return false;
    return learner.removesBelow(this.#prefix + prefix, this.#seen);
  }

  async #complete(): Promise<void> {
    reportHidden(this.#directory.path, this.#hidden);
    await this.#parts.learner.complete(this.#directory, this.#seen);
    this.#end("complete");
  }

  #isSameDirectory(): boolean {
    const { parent, name, entry } = this.#directory;
    return this.#parts.namespace.get(parent, name)?.ino === entry.ino;
  }

  #end(state: "complete" | "failed" | "abandoned"): void {
    if (this.state !== "going") return;
    this.state = state;
    clearTimeout(this.#idle);
    this.#seen.end();
    this.#ended();
  }

  #watch(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#turn) this.#watch();
      else this.#end("abandoned");
    }, IDLE_MS);
    this.#idle.unref();
  }
}
