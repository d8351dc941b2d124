// How far ahead of one reader to fetch: more while it reads on in order, single blocks while it jumps.
import { BLOCK_SIZE } from "../../cache/block-cache.ts";
import type { ObjectReader } from "./object-reader.ts";
import { WHOLE_OBJECT } from "./object-segments.ts";

/** Bytes per GET of a sequential reader (8 MiB). */
const SEGMENT = WHOLE_OBJECT;
/** Largest distance between the reader and the last segment asked for, before the memory budget has its say. */
const MAX_AHEAD = 4 * SEGMENT;
/** The kernel's own read-ahead (read_ahead_kb, 4 MiB) makes reads arrive out of order by this much. */
const SLACK = 4 * BLOCK_SIZE;

export class ReadAhead {
  #expected = 0;
  #sequential = 0;

  /** Notes a read and starts what should come next; returns the most bytes one fetch for this read may take. */
  next(reader: ObjectReader, offset: number, length: number): number {
    const size = reader.version.size;
    if (size <= WHOLE_OBJECT) return size;
    const isInOrder = Math.abs(offset - this.#expected) <= SLACK;
    this.#sequential = isInOrder ? this.#sequential + length : 0;
    this.#expected = isInOrder ? Math.max(this.#expected, offset + length) : offset + length;
    if (!isInOrder) return Math.max(BLOCK_SIZE, length);
    const ahead = Math.min(MAX_AHEAD, Math.max(SEGMENT, this.#sequential * 2));
    this.#start(reader, offset, Math.min(size, this.#expected + ahead));
    return SEGMENT;
  }

  // Whole segments on the object's own grid, so that several readers share them and requests stay size / 8 MiB + 1.
  #start(reader: ObjectReader, offset: number, until: number): void {
    for (let at = offset - (offset % SEGMENT); at < until; at += SEGMENT) {
      const from = Math.max(at, offset);
      if (!reader.prefetch(from, at + SEGMENT)) return;
    }
  }
}
