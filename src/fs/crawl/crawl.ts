// One run over what is left of a crawl: workers that list ranges of keys page by page and merge what came.
import { compareBytewise } from "../../posix/byte-order.ts";
import { FsError } from "../../posix/errno.ts";
import { isDirectory } from "../../posix/stat.ts";
import type { ListPage, ObjectStore } from "../../s3/object-store.ts";
import type { Completeness, CrawlProgress } from "../listing/completeness.ts";
import { PageOrder, type StoreOrder } from "../listing/page-order.ts";
import type { KeyMap } from "../core-options.ts";
import type { CrawlMerge } from "./crawl-merge.ts";
import type { CrawlPlan, Lane } from "./crawl-plan.ts";
import type { Namespace } from "../namespace/namespace.ts";
import type { TimeSlices } from "./time-slices.ts";

/** LISTs under way at once: the serving thread merges no faster. */
const WORKERS = 8;
/** How often a restart can go on from a later place. */
const KEEP_MS = 200;

export interface CrawlParts {
  readonly namespace: Namespace;
  readonly store: ObjectStore;
  readonly keys: KeyMap;
  readonly completeness: Completeness;
  readonly order: StoreOrder;
  /** Asks S3 for one name, whatever is known of it. */
  readonly ask: (path: string) => Promise<void>;
}

/** The store lists in an order of its own, or ignores where to start: its pages do not speak for what is between keys. */
export class UnorderedListing extends Error {}

/** A crawl was ended from outside; it can go on. */
export function crawlStopped(): FsError {
  return new FsError("EINTR", "Cannot crawl the bucket: stopped");
}

/** One run over what is left of a crawl. */
export class Crawl {
  readonly #parts: CrawlParts;
  readonly #slices: TimeSlices;
  readonly #plan: CrawlPlan;
  readonly #merge: CrawlMerge;
  readonly #startedMs: number;
  #listed: number;
  #keptMs = 0;

  constructor(
    parts: CrawlParts,
    slices: TimeSlices,
    plan: CrawlPlan,
    merge: CrawlMerge,
    { startedMs, listed }: CrawlProgress,
  ) {
    this.#parts = parts;
    this.#slices = slices;
    this.#plan = plan;
    this.#merge = merge;
    this.#startedMs = startedMs;
    this.#listed = listed;
  }

  get listed(): number {
    return this.#listed;
  }

  /** Resolves when everything is listed and merged; rejects at the first failure, with nothing under way. */
  async run(signal: AbortSignal): Promise<void> {
    const failing = new AbortController();
    const both = AbortSignal.any([signal, failing.signal]);
    const workers = Array.from({ length: WORKERS }, async () => {
      try {
        await this.#work(both);
      } catch (error) {
        failing.abort();
        throw error;
      }
    });
    const ended = await Promise.allSettled(workers);
    const failures = ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    // the others were only stopped because of it
    const first =
      failures.find((error) => error instanceof UnorderedListing) ??
      failures.find((error) => !(error instanceof FsError && error.code === "EINTR")) ??
      failures[0];
    if (first !== undefined) throw first;
    await this.#decide();
  }

  /** Lets a restart go on from here. */
  keep(): void {
    this.#keptMs = Date.now();
    this.#parts.completeness.advance({
      startedMs: this.#startedMs,
      listed: this.#listed,
      ranges: this.#plan.ranges,
      undecided: [...this.#merge.undecided],
    });
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!this.#plan.isDone) {
      const lane = this.#plan.take();
      if (!lane) {
        await this.#plan.change();
        continue;
      }
      try {
        while (await this.#page(lane, signal));
      } finally {
        this.#plan.release(lane);
      }
    }
  }

  /** Lists and merges a page; resolves to whether the lane goes on. */
  async #page(lane: Lane, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) throw crawlStopped();
    await this.#slices.room();
    const { namespace, store, keys, order } = this.#parts;
    const prefix = keys.toKey("/");
    const seen = namespace.observe();
    try {
      const { after } = lane;
      const page = await store.listObjects({
        prefix,
        background: true,
        signal,
        turn: () => this.#slices.turn(),
        ...(after === undefined ? {} : { startAfter: prefix + after }),
      });
      const relative = page.objects.map(({ key }) => key.slice(prefix.length));
      checkOrder(page, relative, after);
      new PageOrder(order, after).add(relative, []);
      const last = relative.at(-1) ?? "";
      const range = this.#plan.listed(lane, relative[0], last, page.nextToken === undefined);
      const { end } = range;
      // what is behind the end belongs to another worker
      let count = relative.length;
      if (end !== undefined) {
        while (count > 0 && compareBytewise(relative[count - 1] ?? "", end) > 0) count -= 1;
      }
      const { objects } = page;
      await this.#slices.exclusively(() =>
        this.#merge.merge({ range, relative, objects, count, seen }),
      );
      this.#listed += count;
      const goesOn = this.#plan.merged(lane);
      if (Date.now() - this.#keptMs >= KEEP_MS) this.keep();
      await namespace.state.room();
      return goesOn && !signal.aborted;
    } finally {
      seen.end();
    }
  }

  /** Directories of which one page could not tell whether they are still there. */
  async #decide(): Promise<void> {
    const { namespace, ask } = this.#parts;
    for (const path of this.#merge.undecided) {
      const located = namespace.known(path);
      if (located && isDirectory(located.entry) && !located.entry.local) {
        if (!namespace.hasChildren(located.entry.ino)) await ask(path);
      }
    }
  }
}

/** A crawl cuts the order of keys in parts: it must be the bytewise one, and start-after must be understood. */
function checkOrder(page: ListPage, relative: readonly string[], after: string | undefined): void {
  let before = after;
  for (const key of relative) {
    if (before !== undefined && compareBytewise(before, key) >= 0) {
      throw new UnorderedListing(`S3 lists ${JSON.stringify(key)} after ${JSON.stringify(before)}`);
    }
    before = key;
  }
  if (page.objects.length === 0 && page.nextToken !== undefined) {
    throw new UnorderedListing("S3 lists a page without keys that is not the last");
  }
}
