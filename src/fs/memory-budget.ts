// Bytes of read buffers, all files together. Finished segments stay as long as there is room and are dropped oldest first.

/** Bytes that can be given back at once. */
export interface Evictable {
  /** Frees the bytes (the owner calls budget.release for them). */
  evict(): void;
}

export class MemoryBudget {
  readonly #limit: number;
  #used = 0;
  readonly #evictable = new Set<Evictable>();

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes `bytes` if they fit, dropping finished segments first; `always` takes them in any case (a caller waits for them). */
  reserve(bytes: number, always: boolean): boolean {
    for (const oldest of this.#evictable) {
      if (this.#used + bytes <= this.#limit) break;
      oldest.evict();
    }
    if (!always && this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }

  /** Marks bytes as droppable, the most recently used last. */
  offer(item: Evictable): void {
    this.#evictable.delete(item);
    this.#evictable.add(item);
  }

  withdraw(item: Evictable): void {
    this.#evictable.delete(item);
  }
}
