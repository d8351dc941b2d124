// Bytes [start, end) of one object version on their way from S3: readers are answered as soon as their bytes arrived.
import type { CachedObject } from "../cache/block-cache.ts";
import { FsError } from "../posix/errno.ts";
import type { ObjectBody } from "../s3/object-store.ts";
import type { Evictable, MemoryBudget } from "./memory-budget.ts";

interface Waiter {
  readonly until: number;
  resolve(): void;
  reject(error: Error): void;
}

/** How a segment gets its bytes. */
export type FetchRange = (start: number, end: number, signal: AbortSignal) => Promise<ObjectBody>;

export class Segment implements Evictable {
  readonly start: number;
  readonly end: number;
  readonly #budget: MemoryBudget;
  readonly #onGone: (segment: Segment) => void;
  readonly #abort = new AbortController();
  #chunks: Uint8Array[] = [];
  /** Where each chunk begins. */
  #offsets: number[] = [];
  #received: number;
  #waiters: Waiter[] = [];
  #state: "loading" | "complete" | "gone" = "loading";

  /** The budget for the whole range must be taken already; the segment gives it back. */
  constructor(
    start: number,
    end: number,
    budget: MemoryBudget,
    onGone: (segment: Segment) => void,
  ) {
    this.start = start;
    this.end = end;
    this.#received = start;
    this.#budget = budget;
    this.#onGone = onGone;
  }

  /** Fetches and passes each chunk on to the cache; resolves when complete, rejects with the error its readers get. */
  async load(fetch: FetchRange, cached: CachedObject): Promise<void> {
    try {
      const { body } = await fetch(this.start, this.end, this.#abort.signal);
      for await (const chunk of body) {
        if (this.#abort.signal.aborted) break;
        const offset = this.#received;
        this.#chunks.push(chunk);
        this.#offsets.push(offset);
        this.#received += chunk.length;
        this.#wake();
        cached.write(offset, chunk);
      }
      if (this.#received !== this.end) {
        throw new FsError(
          "EIO",
          `Cannot read bytes ${this.#received}-${this.end}: the answer ended early`,
        );
      }
      this.#state = "complete";
      this.#budget.offer(this);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** Resolves when the bytes up to `offset` are there. */
  reached(offset: number): Promise<void> | undefined {
    if (this.#received >= offset) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ until: offset, resolve, reject });
    });
  }

  get wanted(): boolean {
    return this.#waiters.length > 0;
  }

  get complete(): boolean {
    return this.#state === "complete";
  }

  /** The arrived bytes of [from, to) without copying; `reached(to)` must have resolved. */
  slices(from: number, to: number): Uint8Array[] {
    const result: Uint8Array[] = [];
    let index = this.#indexAt(from);
    let offset = this.#offsets[index] ?? to;
    for (; offset < to; index += 1) {
      const chunk = this.#chunks[index];
      if (!chunk) break;
      const first = Math.max(from - offset, 0);
      const last = Math.min(to - offset, chunk.length);
      result.push(first === 0 && last === chunk.length ? chunk : chunk.subarray(first, last));
      offset += chunk.length;
    }
    if (this.#state === "complete") this.#budget.offer(this);
    return result;
  }

  evict(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#budget.withdraw(this);
    this.#budget.release(this.end - this.start);
    this.#chunks = [];
    this.#offsets = [];
    this.#onGone(this);
  }

  /** Stops loading; those who wait get EINTR. */
  cancel(): void {
    if (this.#state === "loading") this.#abort.abort();
    else this.evict();
  }

  #fail(error: Error): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    this.evict();
    for (const waiter of waiters) waiter.reject(error);
  }

  #wake(): void {
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.until <= this.#received);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.until > this.#received);
    for (const waiter of ready) waiter.resolve();
  }

  /** Index of the chunk that holds `offset`. */
  #indexAt(offset: number): number {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#offsets[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
