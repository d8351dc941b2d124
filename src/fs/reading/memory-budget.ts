// Bytes of read buffers, all files together. Finished segments stay as long as there is room, and go in this order: those
// that were read to their end, those that nobody came to for a while, those that no reader has begun, the rest.

/** Bytes that can be given back at once. */
export interface Evictable {
  readonly bytes: number;
  /** How many of them went to readers. */
  readonly lent: number;
  /** Frees the bytes (the owner calls budget.release for them). */
  evict(): void;
}

interface Waiter {
  readonly bytes: number;
  settle(isGranted: boolean): void;
}

/** The most that reading ahead may take: 48 MiB of the usual 64, one reader takes 40. */
const SHARE_AHEAD = 0.75;

/** Ms after which the reader of a segment has most likely gone elsewhere. */
const STALE_MS = 2000;

export class MemoryBudget {
  readonly #limit: number;
  readonly #now: () => number;
  #used = 0;
  #isReserving = false;
  readonly #read = new Set<Evictable>();
  /** With the time of the last use, the oldest first. */
  readonly #unread = new Map<Evictable, number>();
  /** Who waits for memory, the first come first. */
  readonly #waiting = new Set<Waiter>();

  constructor(limitBytes: number, now: () => number = () => performance.now()) {
    this.#limit = limitBytes;
    this.#now = now;
  }

  /**
   * Takes `bytes` if they fit, dropping what is not needed any more first. `always` takes them in any case (a caller
   * waits for them). What nobody waits for leaves a part of the memory to those who do, and drops nothing that a reader
   * is about to come to: that would have to be read back from the disk.
   */
  reserve(bytes: number, always: boolean): boolean {
    const limit = always ? this.#limit : this.#limit * SHARE_AHEAD;
    // what is dropped here is for this caller, not for those who wait
    this.#isReserving = true;
    this.#drop(this.#spare(always), limit - bytes);
    if (always) this.#drop(this.#unread.keys(), limit - bytes);
    this.#isReserving = false;
    if (!always && this.#used + bytes > limit) return false;
    this.#used += bytes;
    return true;
  }

  /**
   * Takes `bytes` for a caller once they fit without harm to other readers; resolves to false when that did not happen
   * within `ms`. Keeps readers from running away from a cache whose disk is slower than S3.
   */
  grant(bytes: number, ms: number): boolean | Promise<boolean> {
    if (this.#waiting.size === 0 && this.#fits(bytes)) return this.reserve(bytes, true);
    return new Promise((resolve) => {
      const settle = (isGranted: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(isGranted);
      };
      const timer = setTimeout(() => settle(false), ms);
      const waiter = { bytes, settle };
      this.#waiting.add(waiter);
    });
  }

  release(bytes: number): void {
    this.#used -= bytes;
    this.#wake();
  }

  /** Marks bytes as droppable, the most recently used last. */
  offer(item: Evictable): void {
    this.withdraw(item);
    if (item.lent >= item.bytes) this.#read.add(item);
    else this.#unread.set(item, this.#now());
    this.#wake();
  }

  withdraw(item: Evictable): void {
    this.#read.delete(item);
    this.#unread.delete(item);
  }

  /** Drops `items` until no more than `limit` bytes are used. */
  #drop(items: Iterable<Evictable>, limit: number): void {
    for (const item of items) {
      if (this.#used <= limit) return;
      item.evict();
    }
  }

  #fits(bytes: number): boolean {
    if (this.#used === 0) return true;
    let lacking = this.#used + bytes - this.#limit;
    for (const item of this.#spare(true)) {
      if (lacking <= 0) return true;
      lacking -= item.bytes;
    }
    return lacking <= 0;
  }

  /** @yields what can go without harm, or at the price of one read of the disk later (`ahead`). */
  *#spare(ahead: boolean): Generator<Evictable> {
    yield* this.#read;
    const staleSince = this.#now() - STALE_MS;
    for (const [item, usedAt] of this.#unread) {
      if (usedAt > staleSince) break;
      yield item;
    }
    if (!ahead) return;
    for (const [item, usedAt] of this.#unread) {
      if (usedAt > staleSince && item.lent === 0) yield item;
    }
  }

  #wake(): void {
    if (this.#isReserving) return;
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter.bytes)) return;
      waiter.settle(this.reserve(waiter.bytes, true));
    }
  }
}
