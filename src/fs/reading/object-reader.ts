// Reads one object version for all its open handles: cached blocks from disk, else segments from S3, which fill the
// cache on the way.
import {
  BLOCK_SIZE,
  type CachedObject,
  type ObjectVersion,
  type TakeMemory,
} from "../../cache/block-cache.ts";
import type { ObjectStore } from "../../s3/object-store.ts";
import { ObjectSegments, type ReadMemory, startOfBlock, WHOLE_OBJECT } from "./object-segments.ts";
import { Segment } from "./segment.ts";
import { untilAborted } from "../until-aborted.ts";

/** Below this, memory of its own costs less than a whole block would. */
const SMALL_PIECE = BLOCK_SIZE / 4;

export class ObjectReader {
  readonly version: ObjectVersion;
  readonly cached: CachedObject;
  readonly #segments: ObjectSegments;
  readonly #memory: ReadMemory;

  constructor(cached: CachedObject, store: ObjectStore, memory: ReadMemory) {
    this.version = cached.version;
    this.cached = cached;
    this.#segments = new ObjectSegments(cached, store, memory);
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
      const piece = buffers.take(Math.ceil(bytes / BLOCK_SIZE) * BLOCK_SIZE);
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
      const segment = this.#segments.at(position);
      if (segment) position = segment.end;
      else if (this.cached.has(position, Math.min(position + 1, stop))) {
        position = startOfBlock(position) + BLOCK_SIZE;
      } else {
        const started = this.#segments.startAhead(position, stop);
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

  /** No one reads any more. */
  close(): void {
    this.#segments.cancel();
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
      const found =
        this.#segments.at(position) ??
        (await this.#fromCache(position, end, take)) ??
        (await this.#segments.startFor(position, end, span));
      if (!(found instanceof Segment)) {
        result.push(...found);
        for (const piece of found) position += piece.length;
        continue;
      }
      const until = Math.min(end, found.end);
      const reached = found.reached(until);
      if (reached) await untilAborted(reached, signal);
      // it may have been dropped between its last byte and now: ask again
      if (!this.#segments.has(found)) continue;
      const isAll = position === start && until === end;
      // the bytes of one of several segments have to wait for the others, but not in the way of their memory
      result.push(
        isAll ? found.lend(position, until) : found.copy(position, until, take(until - position)),
      );
      position = until;
    }
    return result;
  }

  /** What is cached from `position` on; a segment that covers it by now; undefined when it has to be fetched. */
  async #fromCache(
    position: number,
    end: number,
    take: TakeMemory,
  ): Promise<Segment | Uint8Array[] | undefined> {
    let until = position;
    for (let next = until; next < end; until = next) {
      next = Math.min(startOfBlock(until) + BLOCK_SIZE, end);
      if (!this.cached.has(until, next)) break;
    }
    if (until === position) return undefined;
    return (await this.cached.read(position, until, take)) ?? this.#segments.at(position);
  }
}
