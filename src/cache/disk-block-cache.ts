// The BlockCache on disk as a whole: what its parts do together, and what happens when the disk does not.
import { readFile } from "node:fs/promises";
import { log } from "../log.ts";
import type { BlockCache, CachedObject, CacheStatus, ObjectVersion } from "./block-cache.ts";
import { CacheDirectory } from "./cache-directory.ts";
import { type HitCounter, uncachedUse } from "./cached-use.ts";
import type { DiskCacheOptions } from "./cache-options.ts";
import { nodeDiskIo } from "./disk-io.ts";

const DEFAULT_RETRY_MS = 30_000;

/** Opens the cache; a directory that cannot be used means an empty cache that tries again later, never a rejection. */
export async function openDiskBlockCache(options: DiskCacheOptions): Promise<BlockCache> {
  const cache = new DiskBlockCache(options);
  await cache.start();
  return cache;
}

class DiskBlockCache implements BlockCache {
  private readonly options: DiskCacheOptions;
  private readonly counter: HitCounter = { hits: 0, misses: 0 };
  private directory: CacheDirectory | undefined;
  private failure: string | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private starting: Promise<void> | undefined;
  private isClosed = false;

  constructor(options: DiskCacheOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.starting = this.tryStart();
    await this.starting;
  }

  use(version: ObjectVersion): CachedObject {
    // without an ETag nothing tells one version from the next
    const isCacheable = version.size > 0 && version.etag !== "";
    if (this.directory === undefined || !isCacheable) return uncachedUse(version, this.counter);
    return this.directory.use(version);
  }

  async adopt(version: ObjectVersion, path: string, crc32?: number): Promise<boolean> {
    if (version.size === 0 || version.etag === "") return false;
    return (await this.directory?.adopt(version, path, crc32)) ?? false;
  }

  drop(version: ObjectVersion): void {
    this.directory?.drop(version);
  }

  status(): CacheStatus {
    const failure = this.failure ?? this.directory?.failure;
    return {
      bytes: this.directory?.bytes ?? 0,
      objects: this.directory?.objects ?? 0,
      limitBytes: this.options.limitBytes,
      ...this.counter,
      ...(failure === undefined ? {} : { failure }),
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    await this.starting;
    const { directory } = this;
    this.directory = undefined;
    await directory?.close();
  }

  private async tryStart(): Promise<void> {
    const { options } = this;
    try {
      const directory = await CacheDirectory.open({
        ...options,
        io: options.io ?? nodeDiskIo,
        bootId: options.bootId ?? (await readBootId()),
        retryMs: options.retryMs ?? DEFAULT_RETRY_MS,
        counter: this.counter,
      });
      if (this.failure !== undefined) log.info('Cache in "%s" works again', options.directory);
      this.failure = undefined;
      this.directory = directory;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.failure === undefined) {
        log.warn('Cache in "%s" is bypassed: %s', options.directory, reason);
      }
      this.failure = reason;
      if (!this.isClosed) this.retryLater();
    }
  }

  private retryLater(): void {
    const retry = (): void => {
      this.starting = this.tryStart();
    };
    this.retryTimer = setTimeout(retry, this.options.retryMs ?? DEFAULT_RETRY_MS).unref();
  }
}

async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
