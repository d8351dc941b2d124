// What of one object version is on its way from S3 or still in memory: at most one segment covers a byte at a time, so
// nothing is fetched twice side by side.
import { BLOCK_SIZE, type CachedObject, type ObjectVersion } from "../../cache/block-cache.ts";
import type { ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ReadBuffers } from "./read-buffers.ts";
import { type ReadRange, Segment } from "./segment.ts";

/** Objects up to this size come whole in one GET (8 MiB). */
export const WHOLE_OBJECT = 8 * BLOCK_SIZE;

/** Ms that a reader of large segments waits for memory that the cache is writing, before it goes on without; small ones do not. */
const PATIENCE_MS = 200;

/** What such a reader fetches at a time when there was none. */
const SCARCE_SPAN = 2 * BLOCK_SIZE;

/** What the readers of all objects share. */
export interface ReadMemory {
  readonly budget: MemoryBudget;
  /** Of whole blocks: the segments' memory, and besides the budget what single reads put together. */
  readonly buffers: ReadBuffers;
}

export class ObjectSegments {
  readonly #version: ObjectVersion;
  readonly #cached: CachedObject;
  readonly #store: ObjectStore;
  readonly #memory: ReadMemory;
  readonly #segments = new Set<Segment>();
  /** A segment that waits for memory. */
  #starting: Promise<Segment> | undefined;

  constructor(cached: CachedObject, store: ObjectStore, memory: ReadMemory) {
    this.#version = cached.version;
    this.#cached = cached;
    this.#store = store;
    this.#memory = memory;
  }

  /** The segment that covers the byte at `offset`. */
  at(offset: number): Segment | undefined {
    for (const segment of this.#segments) {
      if (offset >= segment.start && offset < segment.end) return segment;
    }
    return undefined;
  }

  /** Whether a segment still has its bytes. */
  has(segment: Segment): boolean {
    return this.#segments.has(segment);
  }

  /** Starts a segment from `position` up to `limit` at most that nobody waits for; undefined when memory is short. */
  startAhead(position: number, limit: number): Segment | undefined {
    return this.#start(position, limit);
  }

  /**
   * The segment at `position`, started if there is none: of `span` bytes, or up to `end`. Waits for memory a while, then
   * takes what it needs.
   */
  async startFor(position: number, end: number, span: number): Promise<Segment> {
    for (;;) {
      const there = this.at(position);
      if (there) return there;
      if (!this.#starting) break;
      // reads of one reader come several at a time: one of them waits for the memory of all
      await this.#starting;
    }
    const from = startOfBlock(position);
    const limit = Math.min(from + span, this.#version.size);
    const least = Math.min(end, from + BLOCK_SIZE);
    if (limit - from < WHOLE_OBJECT) return this.#startNow(position, Math.max(limit, least), 0);
    const { budget } = this.#memory;
    const grant = budget.grant(limit - from, PATIENCE_MS);
    if (grant === true) return this.#startNow(position, limit, limit - from);
    const start = async (): Promise<Segment> => {
      const granted = (await grant) ? limit - from : 0;
      const meanwhile = this.at(position);
      if (meanwhile) {
        budget.release(granted);
        return meanwhile;
      }
      const until = granted > 0 ? limit : Math.max(from + SCARCE_SPAN, least);
      return this.#startNow(position, until, granted);
    };
    const starting = start().finally(() => (this.#starting = undefined));
    this.#starting = starting;
    return starting;
  }

  /** No one reads any more: fetches that no one waits for end, buffers are given back. */
  cancel(): void {
    for (const segment of this.#segments) segment.cancel();
  }

  /** As #start, for someone who waits. */
  #startNow(position: number, limit: number, granted: number): Segment {
    const started = this.#start(position, limit, granted);
    if (!started) throw new Error("A read that someone waits for got no segment");
    return started;
  }

  /**
   * A segment from the start of the block at `position` up to what is already there or on its way. Without `granted`, what
   * the memory budget has given a caller so far, nobody waits for it, and it may be refused.
   */
  #start(position: number, limit: number, granted?: number): Segment | undefined {
    const { budget, buffers } = this.#memory;
    const start = this.#startOf(position);
    const end = this.#endOf(start, limit);
    const lacking = end - start - (granted ?? 0);
    if (lacking < 0) budget.release(-lacking);
    else if (!budget.reserve(lacking, granted !== undefined)) return undefined;
    const segment = new Segment(start, end, budget, buffers, (gone) => this.#segments.delete(gone));
    this.#segments.add(segment);
    const read: ReadRange = (range, into, onBytes, signal) =>
      this.#store.readObject(this.#version.key as ObjectKey, {
        range,
        into,
        onBytes,
        ifMatch: this.#version.etag,
        signal,
      });
    // readers of the segment get its error; one that nobody reads is a prefetch whose failure does not count
    segment.load(read, this.#cached).catch(() => undefined);
    return segment;
  }

  /** The start of the block, or of the whole object when it is small and nothing of it is here yet: then one GET is enough. */
  #startOf(position: number): number {
    const isWhole = this.#version.size <= WHOLE_OBJECT && this.#segments.size === 0;
    return isWhole && !this.#cached.has(0, 1) ? 0 : startOfBlock(position);
  }

  /** The end of the block at `start` at least. */
  #endOf(start: number, limit: number): number {
    const { size } = this.#version;
    const wanted = Math.min(Math.ceil(limit / BLOCK_SIZE) * BLOCK_SIZE, size);
    let end = Math.min(start + BLOCK_SIZE, size);
    while (end < wanted && !this.at(end) && !this.#cached.has(end, end + 1)) {
      end = Math.min(end + BLOCK_SIZE, size);
    }
    return end;
  }
}

/** The offset at which the block with the byte at `offset` starts. */
export function startOfBlock(offset: number): number {
  return offset - (offset % BLOCK_SIZE);
}
