// Lists everything below the prefix, side by side and one LIST per 1,000 keys, so that nothing need be asked afterwards
// (sharing=exclusive). Goes on after a restart where it was, and by itself when S3 is back.
import { log } from "../../log.ts";
import type { CrawlProgress } from "../listing/completeness.ts";
import { Crawl, type CrawlParts, crawlStopped, UnorderedListing } from "./crawl.ts";
import { CrawlMerge } from "./crawl-merge.ts";
import { CrawlPlan } from "./crawl-plan.ts";
import type { Learner } from "../listing/learn.ts";
import type { Listings } from "../listing/listings.ts";
import { TimeSlices } from "./time-slices.ts";

/** Until a crawl that failed is tried again, after the store's own retries. */
const RETRY_MS = 10_000;

export interface CrawlerParts extends CrawlParts {
  readonly learner: Learner;
  readonly listings: Listings;
  /** Ms between crawls; 0: only when asked. */
  readonly intervalMs: number;
}

/** What `pailfs status` tells of a crawl. */
export interface CrawlStatus {
  readonly startedMs: number;
  readonly listed: number;
  /** Why it waits, if it does. */
  readonly failure?: string;
}

export class Crawler {
  readonly #parts: CrawlerParts;
  readonly #slices = new TimeSlices();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: string | undefined;

  constructor(parts: CrawlerParts) {
    this.#parts = parts;
  }

  /** Begins, or goes on with, what is not complete. */
  start(): void {
    const { completeness } = this.#parts;
    if (!completeness.isComplete || completeness.crawl) this.#run().catch(() => undefined);
    else this.#schedule();
  }

  /** Lists everything again; resolves when what was there at the time of the call is known, rejects with EIO. */
  async refresh(): Promise<void> {
    const running = this.#running;
    if (!running) return this.#run(true);
    // what it has listed already may have changed since
    this.#queued ??= running
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.#run(true);
      });
    return this.#queued;
  }

  get status(): CrawlStatus | undefined {
    const { crawl } = this.#parts.completeness;
    if (!crawl) return undefined;
    const { startedMs, listed } = crawl;
    return {
      startedMs,
      listed,
      ...(this.#failure === undefined ? {} : { failure: this.#failure }),
    };
  }

  /** Ends a crawl under way; the next start goes on with it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#running?.catch(() => undefined);
    await this.#queued?.catch(() => undefined);
  }

  #run(anew = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#running ??= this.#crawl(anew).finally(() => {
      this.#running = undefined;
      this.#schedule();
    });
    return this.#running;
  }

  #schedule(): void {
    const { completeness, intervalMs } = this.#parts;
    const isOwed = completeness.crawl !== undefined;
    if (this.#stopping.signal.aborted || (!isOwed && intervalMs === 0)) return;
    const since = (completeness.sinceMs ?? 0) + intervalMs - Date.now();
    // setTimeout() takes no more
    const delay = isOwed ? RETRY_MS : Math.min(Math.max(since, 0), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      if (isOwed || (completeness.sinceMs ?? 0) + intervalMs <= Date.now()) {
        this.#run().catch(() => undefined);
      } else this.#schedule();
    }, delay);
    this.#timer.unref();
  }

  async #crawl(anew: boolean): Promise<void> {
    const { completeness, namespace, learner } = this.#parts;
    if (this.#stopping.signal.aborted) throw crawlStopped();
    const found = anew ? undefined : completeness.crawl;
    const begun: CrawlProgress = found ?? {
      startedMs: Date.now(),
      listed: 0,
      ranges: [{}],
      undecided: [],
    };
    const plan = new CrawlPlan(begun.ranges);
    const merge = new CrawlMerge(namespace, learner, this.#slices, begun.undecided);
    completeness.begin(begun, () => plan.ranges, !found);
    log.info(found ? "the crawl of the bucket goes on" : "crawling the bucket");
    const crawl = new Crawl(this.#parts, this.#slices, plan, merge, begun);
    try {
      await crawl.run(this.#stopping.signal);
    } catch (error) {
      if (!(error instanceof UnorderedListing)) {
        crawl.keep();
        this.#failed(error);
        throw error;
      }
      await this.#inOneTree(error);
    }
    this.#failure = undefined;
    completeness.done();
    const seconds = ((Date.now() - begun.startedMs) / 1000).toFixed(1);
    log.info("crawled the bucket: %d objects in %s s", crawl.listed, seconds);
  }

  async #inOneTree(reason: UnorderedListing): Promise<void> {
    this.#parts.order.note(false);
    log.warn("%s: crawling the bucket in one go, which takes memory", reason.message);
    try {
      await this.#parts.listings.refreshDeep(this.#parts.namespace.root());
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#failure === undefined) log.warn("The crawl of the bucket waits: %s", reason);
    this.#failure = reason;
  }
}
