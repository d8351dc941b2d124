// Reads one object version for all its open handles: cached blocks from disk, else segments from S3, which fill the
// cache on the way. At most one segment covers a byte at a time, so nothing is fetched twice side by side.
import {
  BLOCK_SIZE,
  type CachedObject,
  type ObjectVersion,
  type TakeMemory,
} from "../../cache/block-cache.ts";
import type { ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ReadBuffers } from "./read-buffers.ts";
import { type ReadRange, Segment } from "./segment.ts";
import { untilAborted } from "../until-aborted.ts";

/** Objects up to this size come whole in one GET (8 MiB). */
export const WHOLE_OBJECT = 8 * BLOCK_SIZE;

/** Ms that a reader of large segments waits for memory that the cache is writing, before it goes on without; small ones do not. */
const PATIENCE_MS = 200;

/** What such a reader fetches at a time when there was none. */
const SCARCE_SPAN = 2 * BLOCK_SIZE;

/** Below this memory of its own costs less than a whole block would. */
const SMALL_PIECE = BLOCK_SIZE / 4;

/** What the readers of all objects share. */
export interface ReadMemory {
  readonly budget: MemoryBudget;
  /** Of whole blocks: the segments' memory, and besides the budget what single reads put together. */
  readonly buffers: ReadBuffers;
}

export class ObjectReader {
  readonly version: ObjectVersion;
  readonly cached: CachedObject;
  readonly #store: ObjectStore;
  readonly #memory: ReadMemory;
  readonly #segments = new Set<Segment>();
  /** A segment that waits for memory. */
  #starting: Promise<Segment> | undefined;

  constructor(
    version: ObjectVersion,
    cached: CachedObject,
    store: ObjectStore,
    memory: ReadMemory,
  ) {
    this.version = version;
    this.cached = cached;
    this.#store = store;
    this.#memory = memory;
  }

  /**
   * Bytes [start, end), inside the object, in order, lent until the event loop's next turn; what is missing is fetched,
   * by whole segments of `span` bytes at most.
   */
  async read(start: number, end: number, signal: AbortSignal, span: number): Promise<Uint8Array[]> {
    const { buffers } = this.#memory;
    const taken: Uint8Array[] = [];
    const take: TakeMemory = (bytes) => {
      if (bytes < SMALL_PIECE) return Buffer.allocUnsafe(bytes);
      const piece = buffers.take(blockEnd(bytes));
      taken.push(piece);
      return piece;
    };
    try {
      return await this.#gather(start, end, signal, span, take);
    } finally {
      for (const piece of taken) buffers.give(piece, buffers.turn);
    }
  }

  /** Starts fetching what is missing of [start, end), if the memory budget allows; returns whether all of it is there or on its way. */
  prefetch(start: number, end: number): boolean {
    let position = start;
    const stop = Math.min(end, this.version.size);
    while (position < stop) {
      const segment = this.#segmentAt(position);
      if (segment) position = segment.end;
      else if (this.cached.has(position, Math.min(position + 1, stop))) {
        position = nextBlock(position);
      } else {
        const started = this.#fetch(position, stop);
        if (!started) return false;
        position = started.end;
      }
    }
    return true;
  }

  /** Brings every missing byte into the cache, for open handles that must outlive the object. */
  async materialise(signal: AbortSignal): Promise<void> {
    for (let at = 0; at < this.version.size; at += WHOLE_OBJECT) {
      const end = Math.min(at + WHOLE_OBJECT, this.version.size);
      if (!this.cached.has(at, end)) await this.read(at, end, signal, WHOLE_OBJECT);
    }
  }

  /** No one reads any more: fetches that no one waits for end, buffers are given back. */
  close(): void {
    for (const segment of this.#segments) segment.cancel();
    this.cached.release();
  }

  async #gather(
    start: number,
    end: number,
    signal: AbortSignal,
    span: number,
    take: TakeMemory,
  ): Promise<Uint8Array[]> {
    const result: Uint8Array[] = [];
    let position = start;
    while (position < end) {
      const segment =
        this.#segmentAt(position) ?? (await this.#fromCacheOrFetch(position, end, span, take));
      if (!(segment instanceof Segment)) {
        result.push(...segment);
        for (const piece of segment) position += piece.length;
        continue;
      }
      const until = Math.min(end, segment.end);
      const reached = segment.reached(until);
      if (reached) await untilAborted(reached, signal);
      // it may have been dropped between its last byte and now: ask again
      if (!this.#segments.has(segment)) continue;
      const isAll = position === start && until === end;
      // the bytes of one of several segments have to wait for the others, but not in the way of their memory
      result.push(
        isAll
          ? segment.lend(position, until)
          : segment.copy(position, until, take(until - position)),
      );
      position = until;
    }
    return result;
  }

  async #fromCacheOrFetch(
    position: number,
    end: number,
    span: number,
    take: TakeMemory,
  ): Promise<Segment | Uint8Array[]> {
    let until = Math.min(nextBlock(position), end);
    if (this.cached.has(position, until)) {
      while (until < end && this.cached.has(until, Math.min(nextBlock(until), end))) {
        until = Math.min(nextBlock(until), end);
      }
      const bytes = await this.cached.read(position, until, take);
      if (bytes) return bytes;
      const meanwhile = this.#segmentAt(position);
      if (meanwhile) return meanwhile;
    }
    // reads of one reader come several at a time: one of them waits for the memory of all
    while (this.#starting) {
      await this.#starting;
      const meanwhile = this.#segmentAt(position);
      if (meanwhile) return meanwhile;
    }
    const from = position - (position % BLOCK_SIZE);
    const limit = Math.min(from + span, this.version.size);
    const least = Math.min(end, nextBlock(position));
    if (limit - from < WHOLE_OBJECT) return this.#fetchNow(position, Math.max(limit, least), 0);
    const { budget } = this.#memory;
    const grant = budget.grant(limit - from, PATIENCE_MS);
    if (grant === true) return this.#fetchNow(position, limit, limit - from);
    const start = async (): Promise<Segment> => {
      const granted = (await grant) ? limit - from : 0;
      const meanwhile = this.#segmentAt(position);
      if (meanwhile) {
        budget.release(granted);
        return meanwhile;
      }
      const until = granted > 0 ? limit : Math.max(from + SCARCE_SPAN, least);
      return this.#fetchNow(position, until, granted);
    };
    const starting = start().finally(() => (this.#starting = undefined));
    this.#starting = starting;
    return starting;
  }

  /** As #fetch, for someone who waits. */
  #fetchNow(position: number, limit: number, granted: number): Segment {
    const started = this.#fetch(position, limit, granted);
    if (!started) throw new Error("A read that someone waits for got no segment");
    return started;
  }

  /**
   * A segment from the start of the block at `position` up to what is already there or on its way. Without `granted`, what
   * the memory budget has given a caller so far, nobody waits for it, and it may be refused.
   */
  #fetch(position: number, limit: number, granted?: number): Segment | undefined {
    const start = this.#startFor(position);
    const wanted = Math.min(blockEnd(limit), this.version.size);
    let end = Math.min(nextBlock(start), this.version.size);
    while (end < wanted && !this.#segmentAt(end) && !this.cached.has(end, end + 1)) {
      end = Math.min(nextBlock(end), this.version.size);
    }
    const lacking = end - start - (granted ?? 0);
    if (lacking < 0) this.#memory.budget.release(-lacking);
    else if (!this.#memory.budget.reserve(lacking, granted !== undefined)) return undefined;
    const segment = new Segment(start, end, this.#memory.budget, this.#memory.buffers, (gone) =>
      this.#segments.delete(gone),
    );
    this.#segments.add(segment);
    const read: ReadRange = (range, into, onBytes, signal) =>
      this.#store.readObject(this.version.key as ObjectKey, {
        range,
        into,
        onBytes,
        ifMatch: this.version.etag,
        signal,
      });
    // readers of the segment get its error; one that nobody reads is a prefetch whose failure does not count
    segment.load(read, this.cached).catch(() => undefined);
    return segment;
  }

  /** The start of the block, or of the whole object when it is small and nothing of it is here yet: then one GET is enough. */
  #startFor(position: number): number {
    const isWhole = this.version.size <= WHOLE_OBJECT && this.#segments.size === 0;
    if (isWhole && !this.cached.has(0, 1)) return 0;
    return position - (position % BLOCK_SIZE);
  }

  #segmentAt(offset: number): Segment | undefined {
    for (const segment of this.#segments) {
      if (offset >= segment.start && offset < segment.end) return segment;
    }
    return undefined;
  }
}

function nextBlock(offset: number): number {
  return offset - (offset % BLOCK_SIZE) + BLOCK_SIZE;
}

function blockEnd(offset: number): number {
  return Math.ceil(offset / BLOCK_SIZE) * BLOCK_SIZE;
}
