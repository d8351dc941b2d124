// Keeps the cache below its limit and the disk above its reserve: room is made before bytes come in.
import type { Catalogue } from "./catalogue.ts";
import type { ObjectId } from "./object-record.ts";

// a fresh look at the disk costs a thread hop
const FREE_SPACE_MAX_AGE_MS = 1000;

/** What Room needs of its surroundings. */
export interface RoomOptions {
  readonly limitBytes: number;
  /** Bytes that stay free on the file system. */
  readonly minFreeBytes: number;
  readonly catalogue: Catalogue;
  freeBytes(): Promise<number>;
  isInUse(id: ObjectId): boolean;
  /** Frees up to `bytes` of an object, or all of it; resolves to the bytes freed. */
  evict(id: ObjectId, bytes: number): Promise<number>;
}

/** Reservations are granted one after the other, each only once its room is there. */
export class Room {
  private readonly options: RoomOptions;
  private reserved = 0;
  private queue: Promise<unknown> = Promise.resolve();
  private free = 0;
  private freeSeenAt = -Infinity;

  constructor(options: RoomOptions) {
    this.options = options;
  }

  /** Bytes present or about to be. */
  get bytes(): number {
    return this.options.catalogue.bytes + this.reserved;
  }

  /** Resolves to whether `bytes` may be written for object `id`; nothing of `id` itself is evicted. Never rejects. */
  async reserve(bytes: number, id: ObjectId): Promise<boolean> {
    const result = this.queue.then(async () => this.makeRoom(bytes, id));
    this.queue = result;
    return result;
  }

  /** Gives reserved bytes back, or counts them from now on in the catalogue. */
  release(bytes: number): void {
    this.reserved -= bytes;
  }

  private async makeRoom(bytes: number, id: ObjectId): Promise<boolean> {
    const { limitBytes, minFreeBytes } = this.options;
    if (bytes > limitBytes) return false;
    await this.look();
    let lacking = Math.max(this.bytes + bytes - limitBytes, bytes + minFreeBytes - this.free);
    while (lacking > 0) {
      const victim = this.victim(id);
      if (victim === undefined) return false;
      const freed = await this.options.evict(victim, lacking);
      this.free += freed;
      lacking -= freed;
    }
    this.reserved += bytes;
    this.free -= bytes;
    return true;
  }

  /** The least recently used object that nobody uses, else the least recently used one. */
  private victim(except: ObjectId): ObjectId | undefined {
    let used: ObjectId | undefined;
    for (const id of this.options.catalogue.leastRecent()) {
      if (id === except || (this.options.catalogue.peek(id)?.bytes ?? 0) === 0) continue;
      if (!this.options.isInUse(id)) return id;
      used ??= id;
    }
    return used;
  }

  private async look(): Promise<void> {
    if (performance.now() - this.freeSeenAt < FREE_SPACE_MAX_AGE_MS) return;
    try {
      this.free = await this.options.freeBytes();
    } catch {
      // the write itself will say what is wrong with the disk
      this.free = Infinity;
    }
    this.freeSeenAt = performance.now();
  }
}
