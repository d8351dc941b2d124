// What the tests of the cache share: a directory, caches that are closed afterwards, objects with telling bytes.
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, vi } from "vitest";
import type { BlockCache, ObjectVersion } from "../../../src/cache/block-cache.ts";
import type { DiskCacheOptions } from "../../../src/cache/cache-options.ts";
import { openDiskBlockCache } from "../../../src/cache/disk-block-cache.ts";

export const MIB = 1024 * 1024;

/** One directory and the caches in it. */
export class CacheFixture {
  readonly path: string;
  readonly directory: string;
  private readonly cleanup: () => Promise<void>;
  private opened: BlockCache[] = [];

  private constructor(path: string, cleanup: () => Promise<void>) {
    this.path = path;
    this.directory = join(path, "cache");
    this.cleanup = cleanup;
  }

  static async create(): Promise<CacheFixture> {
    const { path, cleanup } = await dir({ unsafeCleanup: true });
    return new CacheFixture(path, cleanup);
  }

  async open(options: Partial<DiskCacheOptions> = {}): Promise<BlockCache> {
    const cache = await openDiskBlockCache({
      directory: this.directory,
      limitBytes: 64 * MIB,
      minFreeBytes: 0,
      ...options,
    });
    this.opened.push(cache);
    return cache;
  }

  async close(cache: BlockCache): Promise<void> {
    await cache.close();
    this.opened = this.opened.filter((other) => other !== cache);
  }

  async objectFiles(): Promise<string[]> {
    const objects = join(this.directory, "objects");
    const files: string[] = [];
    for (const folder of await readdir(objects)) {
      for (const name of await readdir(join(objects, folder))) {
        files.push(join(objects, folder, name));
      }
    }
    return files;
  }

  async diskBytes(): Promise<number> {
    let bytes = 0;
    for (const file of await this.objectFiles()) bytes += (await stat(file)).blocks * 512;
    return bytes;
  }

  async remove(): Promise<void> {
    for (const cache of this.opened) await cache.close();
    await this.cleanup();
  }
}

export function version(key: string, size: number): ObjectVersion {
  return { key, etag: `etag of ${key}`, size };
}

/** The bytes [start, end) of an object, a different pattern for every key; 251 is prime, so that a wrong offset shows. */
export function bytesOf(object: ObjectVersion, start = 0, end = object.size): Buffer {
  const seed = createHash("md5").update(object.key).digest().readUInt8(0);
  const bytes = Buffer.allocUnsafe(end - start);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (start + i + seed) % 251;
  return bytes;
}

/** Puts an object into the cache and waits until it is there. */
export async function fill(
  cache: BlockCache,
  object: ObjectVersion,
  chunkBytes = 100_000,
): Promise<void> {
  const use = cache.use(object);
  for (let start = 0; start < object.size; start += chunkBytes) {
    void use.write(start, bytesOf(object, start, Math.min(start + chunkBytes, object.size)));
    if (start % (8 * chunkBytes) === 0) await new Promise(setImmediate);
  }
  await vi.waitFor(() => expect(use.has(0, object.size)).toBe(true), { interval: 5 });
  use.release();
}

export async function readAll(
  cache: BlockCache,
  object: ObjectVersion,
): Promise<Buffer | undefined> {
  const use = cache.use(object);
  try {
    const found = await use.read(0, object.size);
    return found === undefined ? undefined : Buffer.concat(found);
  } finally {
    use.release();
  }
}

export function isCached(cache: BlockCache, object: ObjectVersion): boolean {
  const use = cache.use(object);
  const has = use.has(0, object.size);
  use.release();
  return has;
}
