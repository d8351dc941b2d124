import { setTimeout as delay } from "node:timers/promises";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogLevel } from "../../../src/log.ts";
import { BLOCK_SIZE } from "../../../src/cache/block-cache.ts";
import { type DiskIo, nodeDiskIo } from "../../../src/cache/disk-io.ts";
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

test("everything is there after a restart, in the same order of eviction", async () => {
  const cache = await fixture.open({ limitBytes: 8 * MIB });
  const objects = Array.from({ length: 8 }, (_, i) => version(`k${i}`, MIB));
  for (const object of objects) {
    await fill(cache, object);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await fixture.close(cache);
  const again = await fixture.open({ limitBytes: 8 * MIB });
  await vi.waitFor(() => expect(again.status()).toMatchObject({ bytes: 8 * MIB, objects: 8 }));
  await fill(again, version("new", MIB));
  await fill(again, version("newer", MIB));
  expect(objects.filter((object) => isCached(again, object)).map(({ key }) => key)).toEqual(
    objects.slice(2).map(({ key }) => key),
  );
  const use = again.use(version("k7", MIB));
  expect(use.backing()).toBeUndefined();
  expect(
    Buffer.concat((await use.read(0, 1000)) ?? []).equals(bytesOf(version("k7", MIB), 0, 1000)),
  ).toBe(true);
  await vi.waitFor(() => expect(use.backing()).toBeDefined());
  use.release();
});

test.each([
  ["the only block", 100_000, 50_000],
  ["the first block", 3 * BLOCK_SIZE + 100, 0],
  ["a middle block", 3 * BLOCK_SIZE + 100, BLOCK_SIZE + 77],
  ["the short last block", 3 * BLOCK_SIZE + 100, 3 * BLOCK_SIZE + 99],
])("a flipped bit in %s is a miss, and only once", async (_, size, position) => {
  const object = version("a", size);
  const cache = await fixture.open();
  await fill(cache, object);
  await fixture.close(cache);
  const [path = ""] = await fixture.objectFiles();
  const file = await open(path, "r+");
  await file.write(
    Buffer.of((bytesOf(object, position, position + 1).at(0) ?? 0) ^ 4),
    0,
    1,
    position,
  );
  await file.close();
  setLogLevel("error");
  const again = await fixture.open();
  expect(await readAll(again, object)).toBeUndefined();
  expect(isCached(again, object)).toBe(false);
  const block = Math.floor(position / BLOCK_SIZE);
  const use = again.use(object);
  for (let other = 0; other * BLOCK_SIZE < size; other++) {
    expect(use.has(other * BLOCK_SIZE, other * BLOCK_SIZE + 1)).toBe(other !== block);
  }
  use.release();
  await fill(again, object);
  expect((await readAll(again, object))?.equals(bytesOf(object))).toBe(true);
});

test("a shortened or removed file is a miss", async () => {
  const cache = await fixture.open();
  const objects = [version("a", 5000), version("b", 6000)];
  for (const object of objects) await fill(cache, object);
  await fixture.close(cache);
  const files = await fixture.objectFiles();
  await writeFile(files[0] ?? "", "short");
  await rm(files[1] ?? "");
  const again = await fixture.open();
  for (const object of objects) expect(await readAll(again, object)).toBeUndefined();
  for (const object of objects) {
    await fill(again, object);
    expect((await readAll(again, object))?.equals(bytesOf(object))).toBe(true);
  }
});

test("the directory may be deleted while the cache is closed", async () => {
  const object = version("a", 5000);
  const cache = await fixture.open();
  await fill(cache, object);
  await fixture.close(cache);
  await rm(fixture.directory, { recursive: true });
  const again = await fixture.open();
  expect(isCached(again, object)).toBe(false);
  await fill(again, object);
  expect((await readAll(again, object))?.equals(bytesOf(object))).toBe(true);
});

test.each([
  ["empty", () => Buffer.of()],
  ["garbage", () => Buffer.from("garbage".repeat(5000))],
  ["cut short", (whole: Buffer) => whole.subarray(0, -4096)],
])("a database that is %s means an empty cache", async (_, damage) => {
  const object = version("a", 5000);
  const cache = await fixture.open();
  await fill(cache, object);
  await fixture.close(cache);
  const path = join(fixture.directory, "cache.mdb");
  await writeFile(path, damage(await readFile(path)));
  const again = await fixture.open();
  expect(isCached(again, object)).toBe(false);
  await vi.waitFor(async () => expect(await fixture.objectFiles()).toEqual([]));
  await fill(again, object);
});

test("after a power cut the cache starts empty, after a kill it does not", async () => {
  const object = version("a", 5000);
  const cache = await fixture.open({ bootId: "one" });
  await fill(cache, object);
  await fixture.close(cache);
  await writeFile(join(fixture.directory, "cache.open"), "one running");
  const killed = await fixture.open({ bootId: "one" });
  expect(isCached(killed, object)).toBe(true);
  await vi.waitFor(async () =>
    expect(await readFile(join(fixture.directory, "cache.open"), "utf8")).toBe("one running"),
  );
  await fixture.close(killed);
  await writeFile(join(fixture.directory, "cache.open"), "one running");
  const other = await fixture.open({ bootId: "two" });
  expect(isCached(other, object)).toBe(false);
});

test("files that no record knows are swept, others are not", async () => {
  const object = version("a", 5000);
  const cache = await fixture.open();
  await fill(cache, object);
  await fixture.close(cache);
  const leftover = join(fixture.directory, "objects", "ab", "ab".repeat(16));
  await mkdir(join(leftover, ".."), { recursive: true });
  await writeFile(leftover, "x");
  const again = await fixture.open();
  await vi.waitFor(async () => expect(await fixture.objectFiles()).not.toContain(leftover), 5000);
  expect((await readAll(again, object))?.equals(bytesOf(object))).toBe(true);
});

test("adopt() takes a file as it is, open at once and after a restart", async () => {
  const cache = await fixture.open();
  const object = version("a", 2 * BLOCK_SIZE + 3);
  const path = join(fixture.path, "staged");
  await writeFile(path, bytesOf(object));
  const { ino } = await stat(path);
  expect(await cache.adopt(object, path)).toBe(true);
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  const use = cache.use(object);
  expect(use.has(0, object.size)).toBe(true);
  await vi.waitFor(() => expect(use.backing()).toBeDefined());
  use.release();
  expect((await readAll(cache, object))?.equals(bytesOf(object))).toBe(true);
  expect(cache.status()).toMatchObject({ bytes: object.size, objects: 1 });
  await fixture.close(cache);
  const [file = ""] = await fixture.objectFiles();
  expect((await stat(file)).ino).toBe(ino);
  const again = await fixture.open();
  expect((await readAll(again, object))?.equals(bytesOf(object))).toBe(true);
});

test("adopt() leaves a file of another size or on another device alone", async () => {
  const cache = await fixture.open({
    io: {
      ...nodeDiskIo,
      rename: async () =>
        Promise.reject(Object.assign(new Error("other device"), { code: "EXDEV" })),
    },
  });
  const path = join(fixture.path, "staged");
  await writeFile(path, "12345");
  expect(await cache.adopt(version("a", 6), path)).toBe(false);
  expect(await cache.adopt(version("a", 5), path)).toBe(false);
  expect(await readFile(path, "utf8")).toBe("12345");
  expect(cache.status()).toMatchObject({ bytes: 0, objects: 0 });
  expect(cache.status().failure).toBeUndefined();
});

test("drop() of a used version leaves its uses what they have open", async () => {
  const cache = await fixture.open();
  const object = version("a", 300_000);
  await fill(cache, object);
  const use = cache.use(object);
  await vi.waitFor(() => expect(use.backing()).toBeDefined());
  const fd = use.backing();
  cache.drop(object);
  await vi.waitFor(async () => expect(await fixture.objectFiles()).toEqual([]));
  expect(cache.status()).toMatchObject({ bytes: 0, objects: 0 });
  expect(use.backing()).toBe(fd);
  expect(Buffer.concat((await use.read(0, object.size)) ?? []).equals(bytesOf(object))).toBe(true);
  expect(isCached(cache, object)).toBe(false);
  await fill(cache, object);
  expect(Buffer.concat((await use.read(0, object.size)) ?? []).equals(bytesOf(object))).toBe(true);
  use.release();
  expect((await readAll(cache, object))?.equals(bytesOf(object))).toBe(true);
});

test("over the write budget bytes are dropped", async () => {
  const cache = await fixture.open({ writeBudgetBytes: 2 * MIB });
  const object = version("a", 10 * MIB);
  const use = cache.use(object);
  for (let block = 0; block < 10; block++)
    void use.write(block * MIB, bytesOf(object, block * MIB, (block + 1) * MIB));
  await vi.waitFor(() => expect(use.has(0, 2 * MIB)).toBe(true));
  expect(use.has(0, 3 * MIB)).toBe(false);
  void use.write(2 * MIB, bytesOf(object, 2 * MIB, 3 * MIB));
  await vi.waitFor(() => expect(use.has(0, 3 * MIB)).toBe(true));
  use.release();
});

test("a failing disk is bypassed with one warning and tried again", async () => {
  let isFailing = true;
  const io: DiskIo = {
    ...nodeDiskIo,
    write: async (fd, buffers, position) => {
      if (isFailing) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
      await nodeDiskIo.write(fd, buffers, position);
    },
  };
  const cache = await fixture.open({ io, retryMs: 100 });
  const object = version("a", 5000);
  const use = cache.use(object);
  void use.write(0, bytesOf(object));
  await vi.waitFor(() => expect(cache.status().failure).toContain("no space"));
  expect(use.has(0, 5000)).toBe(false);
  expect(cache.status().bytes).toBe(0);
  isFailing = false;
  await vi.waitFor(() => {
    void use.write(0, bytesOf(object));
    expect(cache.status().failure).toBeUndefined();
  });
  expect(Buffer.concat((await use.read(0, 5000)) ?? []).equals(bytesOf(object))).toBe(true);
  use.release();
});

test("a directory that cannot be made is bypassed and tried again", async () => {
  await writeFile(fixture.directory, "a file is in the way");
  const cache = await fixture.open({ retryMs: 50 });
  const object = version("a", 5000);
  expect(cache.status().failure).toBeDefined();
  const use = cache.use(object);
  void use.write(0, bytesOf(object));
  expect(await use.read(0, 10)).toBeUndefined();
  use.release();
  await rm(fixture.directory);
  await vi.waitFor(() => expect(cache.status().failure).toBeUndefined());
  await fill(cache, object);
});

test.skipIf(process.getuid?.() !== 0)("a full disk is no error for anyone", async () => {
  await mkdir(fixture.directory);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "none", fixture.directory]);
  try {
    const cache = await fixture.open();
    for (let i = 0; i < 8; i++) {
      const use = cache.use(version(`k${i}`, MIB));
      void use.write(0, bytesOf(version(`k${i}`, MIB)));
      use.release();
    }
    await vi.waitFor(() => expect(cache.status().objects).toBeGreaterThan(0));
    await fixture.close(cache);
  } finally {
    execFileSync("umount", [fixture.directory]);
  }
});

test("a closed cache has no descriptor left, however long the disk takes to close them", async () => {
  const open = new Set<number>();
  const io: DiskIo = {
    ...nodeDiskIo,
    open: async (path, flags) => {
      const fd = await nodeDiskIo.open(path, flags);
      open.add(fd);
      return fd;
    },
    close: async (fd) => {
      await delay(50);
      await nodeDiskIo.close(fd);
      open.delete(fd);
    },
  };
  const cache = await fixture.open({ io });
  const file = version("k", MIB);
  const use = cache.use(file);
  await use.write(0, bytesOf(file));
  await use.read(0, MIB);
  expect(open.size).toBeGreaterThan(0);
  use.release();
  await fixture.close(cache);
  expect(open.size).toBe(0);
});

test("objects without bytes or ETag are never cached", async () => {
  const cache = await fixture.open();
  const empty = cache.use({ key: "a", etag: "x", size: 0 });
  expect(empty.has(0, 0)).toBe(true);
  expect(await empty.read(0, 10)).toEqual([]);
  const nameless = cache.use({ key: "a", etag: "", size: 4 });
  void nameless.write(0, Buffer.from("abcd"));
  expect(await nameless.read(0, 4)).toBeUndefined();
  await chmod(fixture.directory, 0o700);
  expect(await fixture.objectFiles()).toEqual([]);
});
