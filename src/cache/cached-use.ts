// The handles that DiskBlockCache.use() gives out.
import type { CachedObject, ObjectVersion, TakeMemory } from "./block-cache.ts";
import type { CachedFile } from "./cached-file.ts";

/** Counts of a cache's answers. */
export interface HitCounter {
  hits: number;
  misses: number;
}

/** One use of a cached file. */
export class CachedUse implements CachedObject {
  readonly version: ObjectVersion;
  private readonly file: CachedFile;
  private readonly counter: HitCounter;
  private readonly afterRead: (file: CachedFile) => void;
  private isReleased = false;

  constructor(
    version: ObjectVersion,
    file: CachedFile,
    counter: HitCounter,
    afterRead: (file: CachedFile) => void,
  ) {
    this.version = version;
    this.file = file;
    this.counter = counter;
    this.afterRead = afterRead;
  }

  has(start: number, end: number): boolean {
    return this.file.has(start, Math.min(end, this.file.size));
  }

  async read(start: number, end: number, take?: TakeMemory): Promise<Uint8Array[] | undefined> {
    const stop = Math.min(end, this.file.size);
    if (start >= stop) return [];
    // the file stays open even when the use is released meanwhile
    const bytes = await this.file.during(async () => this.file.read(start, stop, take));
    if (bytes === undefined) this.counter.misses++;
    else {
      this.counter.hits++;
      this.afterRead(this.file);
    }
    return bytes;
  }

  write(offset: number, data: Uint8Array): Promise<void> | undefined {
    return this.isReleased ? undefined : this.file.write(offset, data);
  }

  backing(): number | undefined {
    return this.isReleased ? undefined : this.file.backing();
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.file.release();
  }
}

/** A use of what is not cached: an object without bytes or identity, or any while the disk fails. */
export function uncachedUse(version: ObjectVersion, counter: HitCounter): CachedObject {
  return {
    version,
    has: (start, end) => Math.min(end, version.size) <= start,
    read: async (start, end) => {
      if (Math.min(end, version.size) <= start) return [];
      counter.misses++;
      return undefined;
    },
    write: () => undefined,
    backing: () => undefined,
    release: () => undefined,
  };
}
