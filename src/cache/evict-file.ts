// Frees the tail of a large object instead of all of it.
import type { CachedFile } from "./cached-file.ts";
import type { Catalogue, CatalogueEntry } from "./catalogue.ts";
import { BLOCK_SIZE } from "./block-cache.ts";
import { blockLength } from "./object-record.ts";

// below this an object is worth more whole
const LARGE_BLOCKS = 8;

/** What eviction needs of the cache. */
export interface Evictor {
  readonly catalogue: Catalogue;
  record(file: CachedFile): void;
  readonly punchHole?: (fd: number, offset: number, length: number) => Promise<boolean>;
}

/**
 * Punches blocks out of a file that nobody uses, from the last one on, until `bytes` are free; resolves to false when the
 * whole object should go instead. Presence is taken back before the bytes are, so that a use that begins meanwhile never
 * sees a hole. Never rejects.
 */
export async function evictFile(
  evictor: Evictor,
  file: CachedFile,
  entry: CatalogueEntry,
  bytes: number,
): Promise<boolean> {
  const { punchHole } = evictor;
  if (punchHole === undefined || file.present.count < LARGE_BLOCKS || bytes >= entry.bytes) {
    return false;
  }
  let freed = 0;
  let block = file.present.last();
  const end = Math.min((block + 1) * BLOCK_SIZE, file.size);
  for (; freed < bytes && block >= 0; block--) {
    if (!file.present.has(block)) continue;
    const length = blockLength(file.size, block);
    file.forget(block);
    evictor.catalogue.grow(entry, -length);
    freed += length;
  }
  evictor.record(file);
  const start = (block + 1) * BLOCK_SIZE;
  try {
    return await file.during(async () =>
      file.withWriteFd(async (fd) => punchHole(fd, start, end - start)),
    );
  } catch {
    return false;
  }
}
