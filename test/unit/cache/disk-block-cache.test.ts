import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogLevel } from "../../../src/log.ts";
import { BLOCK_SIZE } from "../../../src/cache/block-cache.ts";
import { type DiskIo, nodeDiskIo } from "../../../src/cache/disk-io.ts";
import { pageAllocator } from "../../../src/posix/page-aligned.ts";
import { loadSystemCalls } from "../../../src/posix/syscalls.ts";
import { bytesOf, CacheFixture, fill, isCached, MIB, readAll, version } from "./cache-fixture.ts";

let fixture: CacheFixture;

beforeEach(async () => {
  // what is tested here is logged as warnings
  setLogLevel("error");
  fixture = await CacheFixture.create();
});

afterEach(async () => {
  await fixture.remove();
  setLogLevel("info");
});

test.each([1, 4096, 100_000, BLOCK_SIZE, BLOCK_SIZE + 1, 3 * BLOCK_SIZE + 17])(
  "read() returns what write() was given, %i bytes",
  async (size) => {
    const cache = await fixture.open();
    const object = version("a", size);
    await fill(cache, object, 65_536);
    expect((await readAll(cache, object))?.equals(bytesOf(object))).toBe(true);
    const use = cache.use(object);
    const middle = Math.floor(size / 2);
    const part = await use.read(middle, size + 1000);
    expect(Buffer.concat(part ?? []).equals(bytesOf(object, middle))).toBe(true);
    use.release();
    expect(cache.status()).toMatchObject({ bytes: size, objects: 1, hits: 2, misses: 0 });
  },
);

test("an object's file has its bytes at their offsets, and backing() is that file", async () => {
  const cache = await fixture.open();
  const object = version("a", 2 * BLOCK_SIZE + 5);
  await fill(cache, object);
  const [file = ""] = await fixture.objectFiles();
  expect((await readFile(file)).equals(bytesOf(object))).toBe(true);
  const first = cache.use(object);
  await vi.waitFor(() => expect(first.backing()).toBeDefined());
  const second = cache.use(object);
  expect(second.backing()).toBe(first.backing());
  const fd = second.backing() ?? -1;
  const found = Buffer.alloc(object.size);
  await nodeDiskIo.read(fd, found, 0);
  expect(found.equals(bytesOf(object))).toBe(true);
  await expect(nodeDiskIo.write(fd, [found], 0)).rejects.toMatchObject({ code: "EBADF" });
  first.release();
  second.release();
});

test("blocks arrive in any order, a missing one is a miss, gaps are not believed", async () => {
  const cache = await fixture.open();
  const object = version("a", 3 * BLOCK_SIZE);
  const use = cache.use(object);
  void use.write(2 * BLOCK_SIZE, bytesOf(object, 2 * BLOCK_SIZE));
  void use.write(BLOCK_SIZE, bytesOf(object, BLOCK_SIZE, BLOCK_SIZE + 1000));
  void use.write(BLOCK_SIZE + 2000, bytesOf(object, BLOCK_SIZE + 2000, 2 * BLOCK_SIZE));
  void use.write(0, bytesOf(object, 0, BLOCK_SIZE));
  await vi.waitFor(() => expect(use.has(0, 1)).toBe(true));
  await vi.waitFor(() => expect(use.has(2 * BLOCK_SIZE, object.size)).toBe(true));
  expect(use.has(BLOCK_SIZE, BLOCK_SIZE + 1)).toBe(false);
  expect(await use.read(0, BLOCK_SIZE + 1)).toBeUndefined();
  expect(use.backing()).toBeUndefined();
  // the rest of the block from where it broke off
  void use.write(BLOCK_SIZE, bytesOf(object, BLOCK_SIZE, 2 * BLOCK_SIZE));
  await vi.waitFor(() => expect(use.has(0, object.size)).toBe(true));
  expect(Buffer.concat((await use.read(0, object.size)) ?? []).equals(bytesOf(object))).toBe(true);
  use.release();
});

test("two uses that write the same bytes at once make one object", async () => {
  const cache = await fixture.open();
  const object = version("a", 2 * BLOCK_SIZE + 9);
  await Promise.all([
    fill(cache, object, 50_000),
    fill(cache, object, 70_001),
    fill(cache, object),
  ]);
  expect((await readAll(cache, object))?.equals(bytesOf(object))).toBe(true);
  expect(cache.status()).toMatchObject({ bytes: object.size, objects: 1 });
});

test("records are written in several rounds, and none is lost", async () => {
  const cache = await fixture.open();
  const objects = Array.from({ length: 4 }, (_, i) => version(`k${i}`, 100));
  for (const object of objects) {
    await fill(cache, object);
    // longer than the store collects changes
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await fixture.close(cache);
  const again = await fixture.open();
  for (const object of objects) expect(isCached(again, object)).toBe(true);
});

test("an abandoned block leaves nothing behind", async () => {
  const cache = await fixture.open();
  const object = version("a", 2 * BLOCK_SIZE);
  const use = cache.use(object);
  void use.write(0, bytesOf(object, 0, 5000));
  use.release();
  await vi.waitFor(async () => expect(await fixture.objectFiles()).toEqual([]));
  await vi.waitFor(() => expect(cache.status()).toMatchObject({ bytes: 0, objects: 0 }));
});

test("the limit holds, and the least recently used objects go first", async () => {
  const cache = await fixture.open({ limitBytes: 10 * MIB });
  const objects = Array.from({ length: 30 }, (_, i) => version(`k${i}`, MIB - i));
  for (const object of objects) {
    await fill(cache, object);
    if (isCached(cache, version("k0", MIB))) await readAll(cache, version("k0", MIB));
    expect(cache.status().bytes).toBeLessThanOrEqual(10 * MIB);
    expect(await fixture.diskBytes()).toBeLessThanOrEqual(11 * MIB);
  }
  const left = objects.filter((object) => isCached(cache, object)).map(({ key }) => key);
  expect(left).toEqual(["k0", ...Array.from({ length: 9 }, (_, i) => `k${21 + i}`)]);
});

test("an object over the limit is cached as far as it goes and harms nobody for long", async () => {
  const cache = await fixture.open({ limitBytes: 4 * MIB });
  const object = version("large", 10 * MIB);
  const use = cache.use(object);
  for (let block = 0; block < 10; block++) {
    void use.write(block * MIB, bytesOf(object, block * MIB, (block + 1) * MIB));
  }
  await vi.waitFor(() => expect(use.has(0, 4 * MIB)).toBe(true));
  use.release();
  await fixture.close(cache);
  expect(cache.status().bytes).toBe(0);
  expect(await fixture.diskBytes()).toBeLessThanOrEqual(5 * MIB);
});

test("large objects lose blocks by holes, but never while they are used", async () => {
  const calls = await loadSystemCalls();
  const punched: number[] = [];
  const punchHole = async (fd: number, offset: number, length: number): Promise<boolean> => {
    punched.push(length);
    await calls?.punchHole(fd, offset, length);
    return calls !== undefined;
  };
  const cache = await fixture.open({ limitBytes: 16 * MIB, punchHole });
  const large = version("large", 12 * MIB + 5);
  await fill(cache, large);
  const use = cache.use(large);
  await vi.waitFor(() => expect(use.backing()).toBeDefined());
  const fd = use.backing() ?? -1;
  for (let i = 0; i < 6; i++) await fill(cache, version(`used${i}`, MIB));
  expect(punched).toEqual([]);
  const found = Buffer.alloc(large.size);
  await nodeDiskIo.read(fd, found, 0);
  expect(found.equals(bytesOf(large))).toBe(true);
  use.release();
  await fill(cache, version("small", MIB));
  cache.drop(version("small", MIB));
  for (let i = 0; i < 6; i++) cache.drop(version(`used${i}`, MIB));
  // the same with nobody using it
  cache.drop(large);
  await fill(cache, large);
  for (let i = 0; i < 6; i++) await fill(cache, version(`new${i}`, MIB));
  if (calls === undefined) return;
  expect(punched.length).toBeGreaterThan(0);
  expect(cache.status().bytes).toBeLessThanOrEqual(16 * MIB);
  expect(await fixture.diskBytes()).toBeLessThanOrEqual(17 * MIB);
  const again = cache.use(large);
  expect(again.has(0, large.size)).toBe(false);
  expect(again.has(0, 9 * MIB)).toBe(true);
  expect(
    Buffer.concat((await again.read(0, 9 * MIB)) ?? []).equals(bytesOf(large, 0, 9 * MIB)),
  ).toBe(true);
  again.release();
});

test("room is made for the reserve of the disk", async () => {
  let free = 100 * MIB;
  const io: DiskIo = { ...nodeDiskIo, freeBytes: async () => free };
  const cache = await fixture.open({ io, minFreeBytes: 50 * MIB });
  await fill(cache, version("a", MIB));
  await fill(cache, version("b", MIB));
  free = 50 * MIB + 1000;
  const later = performance.now() + 60_000;
  vi.spyOn(performance, "now").mockReturnValue(later);
  try {
    await fill(cache, version("c", MIB));
    expect(isCached(cache, version("a", MIB))).toBe(false);
  } finally {
    vi.restoreAllMocks();
  }
});

/** Writes a large object from memory that starts `shift` bytes behind a page, and reads it again; tells how many opens were direct. */
async function fillLarge(io: Partial<DiskIo>, shift = 0): Promise<number> {
  const system = await loadSystemCalls();
  if (system === undefined) throw new Error("koffi is not there");
  let direct = 0;
  const disk: DiskIo = { ...nodeDiskIo, ...io };
  const spy: DiskIo = {
    ...disk,
    open: async (path, flags) => {
      if ((flags & constants.O_DIRECT) !== 0) direct += 1;
      return disk.open(path, flags);
    },
  };
  const cache = await fixture.open({ io: spy, addressOf: (memory) => system.addressOf(memory) });
  const object = version("large", 33 * BLOCK_SIZE + 5);
  const memory = pageAllocator(system)(BLOCK_SIZE + shift).subarray(shift);
  const use = cache.use(object);
  for (let at = 0; at < object.size; at += BLOCK_SIZE) {
    const bytes = bytesOf(object, at, Math.min(at + BLOCK_SIZE, object.size));
    memory.set(bytes);
    await use.write(at, memory.subarray(0, bytes.length));
  }
  use.release();
  expect((await readAll(cache, object))?.equals(bytesOf(object))).toBe(true);
  const [file = ""] = await fixture.objectFiles();
  expect((await readFile(file)).equals(bytesOf(object))).toBe(true);
  return direct;
}

test("whole blocks of a large object go past the page cache, by one descriptor", async () => {
  const direct = new Set<number>();
  let written = 0;
  const count = await fillLarge({
    open: async (path, flags) => {
      const fd = await nodeDiskIo.open(path, flags);
      if ((flags & constants.O_DIRECT) !== 0) direct.add(fd);
      return fd;
    },
    write: async (fd, chunks, position) => {
      if (direct.has(fd)) written += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      await nodeDiskIo.write(fd, chunks, position);
    },
  });
  expect(count).toBe(1);
  expect(written).toBe(33 * BLOCK_SIZE);
});

test("memory that does not start at a page is written through the page cache", async () => {
  expect(await fillLarge({}, 8)).toBe(0);
});

test.each(["open", "write"] as const)(
  "a disk that refuses O_DIRECT at %s is written through the page cache, and asked once",
  async (call) => {
    const refusal = Object.assign(new Error("EINVAL"), { code: "EINVAL", errno: -22 });
    let direct = -1;
    const count = await fillLarge({
      open: async (path, flags) => {
        const isDirect = (flags & constants.O_DIRECT) !== 0;
        if (isDirect && call === "open") throw refusal;
        const fd = await nodeDiskIo.open(path, flags);
        if (isDirect) direct = fd;
        return fd;
      },
      write: async (fd, chunks, position) => {
        if (fd === direct) throw refusal;
        await nodeDiskIo.write(fd, chunks, position);
      },
    });
    expect(count).toBe(1);
  },
);
