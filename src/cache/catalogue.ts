// Which objects are on disk and in which order they go: the LRU order of the cache, kept in memory.
import { setImmediate as nextTurn } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { ObjectId } from "./object-record.ts";
import type { RecordStore } from "./record-store.ts";
import { UsageOrder } from "./usage-order.ts";

/** What eviction has to know of an object. */
export interface CatalogueEntry {
  /** Of present blocks. */
  bytes: number;
  /** Whether all present blocks were verified in this run of the daemon. */
  isVerified: boolean;
}

const SLICE_MS = 4;

/** Objects from the most to the least recently used. */
export class Catalogue {
  private readonly order = new LRUCache<ObjectId, CatalogueEntry>({
    // lru-cache wants a bound; ours is in bytes and kept by Room, which waits for the disk
    maxSize: Number.MAX_SAFE_INTEGER,
    sizeCalculation: () => 1,
  });
  // while loading: what happened to objects since the start wins over what is found in the database
  private touched: Set<ObjectId> | undefined = new Set();
  private total = 0;

  get bytes(): number {
    return this.total;
  }

  get size(): number {
    return this.order.size;
  }

  peek(id: ObjectId): CatalogueEntry | undefined {
    return this.order.peek(id);
  }

  /** Makes an object the most recently used one; the same entry each time, `bytes` 0 at first. */
  touch(id: ObjectId): CatalogueEntry {
    this.touched?.add(id);
    const known = this.order.get(id);
    if (known !== undefined) return known;
    const entry = { bytes: 0, isVerified: false };
    this.order.set(id, entry);
    return entry;
  }

  /** Adds to an object's present bytes without a change of the order. */
  grow(entry: CatalogueEntry, bytes: number): void {
    entry.bytes += bytes;
    this.total += bytes;
  }

  delete(id: ObjectId): void {
    this.touched?.add(id);
    const entry = this.order.peek(id);
    if (entry === undefined) return;
    this.total -= entry.bytes;
    entry.bytes = 0;
    this.order.delete(id);
  }

  /** @yields ids from the least recently used on. */
  *leastRecent(): Generator<ObjectId> {
    for (const id of this.order.rkeys()) yield id;
  }

  /** Takes over what an earlier run left; in slices, so that the event loop goes on. */
  async load(records: RecordStore): Promise<void> {
    const pause = pauser();
    const found = new UsageOrder();
    for (const chunk of records.summaries()) {
      for (const { id, bytes, lastUsed } of chunk) found.add(id, bytes, lastUsed);
      await pause();
    }
    let count = 0;
    for (const { id, bytes } of found.sorted()) {
      if (this.touched?.has(id) !== true && bytes > 0) {
        this.order.set(id, { bytes, isVerified: false });
        this.total += bytes;
      }
      if (++count % 500 === 0) await pause();
    }
    for (const id of this.touched ?? []) this.order.get(id);
    this.touched = undefined;
  }
}

/** A function that lets other work of the event loop go first once its slice is used up. */
function pauser(): () => Promise<void> {
  let sliceEnd = performance.now() + SLICE_MS;
  return async () => {
    if (performance.now() < sliceEnd) return;
    await nextTurn();
    sliceEnd = performance.now() + SLICE_MS;
  };
}
