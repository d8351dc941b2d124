// The block cache as the options want it, within what its disk and this process may have.
import { mkdir, statfs } from "node:fs/promises";
import type { BlockCache } from "../../cache/block-cache.ts";
import { openDiskBlockCache } from "../../cache/disk-block-cache.ts";
import type { MountOptions } from "../../options/mount-options.ts";
import { descriptorLimit } from "../../posix/descriptor-limit.ts";
import type { SystemCalls } from "../../posix/syscalls.ts";

/** The most of its disk that a cache may take. */
const CACHE_SHARE = 0.8;
/** Cached files that are kept open for their next reader: at most an eighth of the descriptors, as writers need theirs. */
const MOST_IDLE_FILES = 512;

/** Opens or creates the cache; rejects with the system's error. */
export async function openCache(
  options: MountOptions,
  system: SystemCalls | undefined,
  bootId: string | undefined,
): Promise<BlockCache> {
  const { directory, limitBytes, minFree } = options.cache;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const disk = await statfs(directory);
  const size = disk.blocks * disk.bsize;
  return openDiskBlockCache({
    directory,
    limitBytes: Math.min(limitBytes, Math.floor(size * CACHE_SHARE)),
    minFreeBytes: "bytes" in minFree ? minFree.bytes : Math.floor(size * minFree.fraction),
    maxIdleFiles: Math.min(MOST_IDLE_FILES, Math.ceil((await descriptorLimit()) / 8)),
    ...(system
      ? { punchHole: holePuncher(system), addressOf: (memory) => system.addressOf(memory) }
      : {}),
    ...(bootId === undefined ? {} : { bootId }),
  });
}

function holePuncher(system: SystemCalls) {
  return async (fd: number, offset: number, length: number): Promise<boolean> => {
    try {
      await system.punchHole(fd, offset, length);
      return true;
    } catch {
      // the cache then evicts the whole file
      return false;
    }
  };
}
