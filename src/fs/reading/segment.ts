// Bytes [start, end) of one object version on their way from S3: readers are answered as soon as their bytes arrived.
import { BLOCK_SIZE, type CachedObject } from "../../cache/block-cache.ts";
import type { ByteRange } from "../../s3/object-store.ts";
import type { Evictable, MemoryBudget } from "./memory-budget.ts";
import type { ReadBuffers } from "./read-buffers.ts";

interface Waiter {
  readonly until: number;
  resolve(): void;
  reject(error: Error): void;
}

/** How a segment gets its bytes: into its memory, telling how many of them are there. */
export type ReadRange = (
  range: ByteRange,
  into: Uint8Array,
  onBytes: (count: number) => void,
  signal: AbortSignal,
) => Promise<unknown>;

export class Segment implements Evictable {
  readonly start: number;
  readonly end: number;
  readonly #budget: MemoryBudget;
  readonly #buffers: ReadBuffers;
  readonly #onGone: (segment: Segment) => void;
  readonly #abort = new AbortController();
  readonly #memory: Uint8Array;
  #received: number;
  /** Up to where the cache was given the bytes, by whole blocks. */
  #cached: number;
  /** Writes of the cache that still need the memory, and the load itself. */
  #users = 0;
  #lent = 0;
  #lentIn = -1;
  #waiters: Waiter[] = [];
  #state: "loading" | "complete" | "gone" = "loading";

  /** The budget for the whole range must be taken already; the segment gives it back. */
  constructor(
    start: number,
    end: number,
    budget: MemoryBudget,
    buffers: ReadBuffers,
    onGone: (segment: Segment) => void,
  ) {
    this.start = start;
    this.end = end;
    this.#received = start;
    this.#cached = start;
    this.#budget = budget;
    this.#buffers = buffers;
    this.#memory = buffers.take(end - start);
    this.#onGone = onGone;
  }

  get bytes(): number {
    return this.end - this.start;
  }

  /** All of them means that a reader has passed. */
  get lent(): number {
    return this.#lent;
  }

  /** Fetches and passes each block on to the cache; resolves when complete, rejects with the error its readers get. */
  async load(read: ReadRange, cached: CachedObject): Promise<void> {
    this.#users += 1;
    try {
      const range = { start: this.start, end: this.end };
      const arrived = (count: number): void => {
        this.#received = this.start + count;
        this.#wake();
        this.#pass(cached);
      };
      await read(range, this.#memory, arrived, this.#abort.signal);
      if (this.#abort.signal.aborted) {
        this.evict();
        return;
      }
      this.#state = "complete";
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    } finally {
      this.#unuse();
    }
  }

  /** Resolves when the bytes up to `offset` are there. */
  reached(offset: number): Promise<void> | undefined {
    if (this.#received >= offset) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ until: offset, resolve, reject });
    });
  }

  /** The arrived bytes [from, to), lent until the event loop's next turn; `reached(to)` must have resolved. */
  lend(from: number, to: number): Uint8Array {
    this.#lentIn = this.#buffers.turn;
    return this.#view(from, to);
  }

  /** The same bytes as a copy in `memory`. */
  copy(from: number, to: number, memory: Uint8Array): Uint8Array {
    memory.set(this.#view(from, to));
    return memory.subarray(0, to - from);
  }

  /** Only when complete and offered, or when loading has failed. */
  evict(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#budget.withdraw(this);
    this.#onGone(this);
    if (this.#users === 0) this.#giveBack();
  }

  /** Stops loading; those who wait get EINTR. */
  cancel(): void {
    if (this.#state === "loading") this.#abort.abort();
    else this.evict();
  }

  #view(from: number, to: number): Uint8Array {
    this.#lent += to - from;
    this.#offer();
    return this.#memory.subarray(from - this.start, to - this.start);
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

  /** Gives the cache the blocks that are whole by now. */
  #pass(cached: CachedObject): void {
    const whole =
      this.#received === this.end ? this.end : this.#received - (this.#received % BLOCK_SIZE);
    while (this.#cached < whole) {
      const from = this.#cached;
      const to = Math.min(from - (from % BLOCK_SIZE) + BLOCK_SIZE, whole);
      this.#cached = to;
      const writing = cached.write(from, this.#memory.subarray(from - this.start, to - this.start));
      if (writing === undefined) continue;
      this.#users += 1;
      void writing.then(() => this.#unuse());
    }
  }

  #unuse(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    if (this.#state === "gone") this.#giveBack();
    else this.#offer();
  }

  /** Complete, and written by the cache: may be dropped when memory is short. */
  #offer(): void {
    if (this.#state !== "complete" || this.#users > 0) return;
    this.#budget.offer(this);
  }

  #giveBack(): void {
    this.#buffers.give(this.#memory, this.#lentIn);
    this.#budget.release(this.bytes);
  }
}
