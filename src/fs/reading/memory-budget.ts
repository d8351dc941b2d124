// Bytes of read buffers, all files together. Finished segments stay as long as there is room: those that were read to
// their end go first, then the oldest.

/** Bytes that can be given back at once. */
export interface Evictable {
  /** Frees the bytes (the owner calls budget.release for them). */
  evict(): void;
}

/** The most that reading ahead may take: 48 MiB of the usual 64, one reader takes 40. */
const SHARE_AHEAD = 0.75;

export class MemoryBudget {
  readonly #limit: number;
  #used = 0;
  readonly #consumed = new Set<Evictable>();
  readonly #unread = new Set<Evictable>();
  readonly #waiting = new Set<() => void>();

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /**
   * Takes `bytes` if they fit, dropping finished segments first; `always` takes them in any case (a caller waits for
   * them). What nobody waits for leaves a part of the memory to those who do.
   */
  reserve(bytes: number, always: boolean): boolean {
    const limit = always ? this.#limit : this.#limit * SHARE_AHEAD;
    for (const items of [this.#consumed, this.#unread]) {
      for (const oldest of items) {
        if (this.#used + bytes <= limit) break;
        oldest.evict();
      }
    }
    if (!always && this.#used + bytes > limit) return false;
    this.#used += bytes;
    return true;
  }

  /**
   * Resolves when memory was given back, or after `ms`; undefined while `bytes` fit or something can be dropped. Keeps
   * a reader from running away from a cache whose disk is slower than S3.
   */
  room(bytes: number, ms: number): Promise<void> | undefined {
    const isFull = this.#consumed.size === 0 && this.#unread.size === 0;
    if (!isFull || this.#used === 0 || this.#used + bytes <= this.#limit) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  release(bytes: number): void {
    this.#used -= bytes;
    this.#wake();
  }

  /** Marks bytes as droppable, the most recently used last. */
  offer(item: Evictable, isConsumed: boolean): void {
    this.withdraw(item);
    (isConsumed ? this.#consumed : this.#unread).add(item);
    this.#wake();
  }

  withdraw(item: Evictable): void {
    this.#consumed.delete(item);
    this.#unread.delete(item);
  }

  #wake(): void {
    for (const done of this.#waiting) done();
  }
}
