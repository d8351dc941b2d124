import { mkdir, readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dir, type DirectoryResult } from "tmp-promise";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { FsError } from "../../../src/posix/errno.ts";
import { loadSystemCalls } from "../../../src/posix/syscalls.ts";
import { DiskSpool, type DiskSpoolOptions } from "../../../src/spool/disk-spool.ts";
import type { StagedFile } from "../../../src/spool/spool.ts";
import { rampBytes } from "../../support/s3-store.ts";

let folder: DirectoryResult;
const opened: DiskSpool[] = [];

beforeEach(async () => {
  folder = await dir({ unsafeCleanup: true });
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((spool) => spool.close()));
  await folder.cleanup();
});

async function open(options: Partial<DiskSpoolOptions> = {}): Promise<DiskSpool> {
  const spool = await DiskSpool.open({
    stateDir: folder.path,
    spoolSize: 2 ** 30,
    minFree: { bytes: 0 },
    spares: 4,
    ...options,
  });
  opened.push(spool);
  return spool;
}

describe("a staged file", () => {
  test("reads back what was written, short only at its end", async () => {
    const spool = await open();
    const file = await spool.create();
    const bytes = rampBytes(300_000);
    await file.write(100, bytes);
    expect(file.stat().size).toBe(300_100);
    expect(Buffer.from(await file.read(100, 300_000)).equals(bytes)).toBe(true);
    expect(await file.read(300_000, 500)).toHaveLength(100);
    expect(await file.read(400_000, 1)).toHaveLength(0);
    await file.truncate(10);
    expect(file.stat().size).toBe(10);
    await file.sync();
    file.release();
    expect((await readFile(spool.path(file.id))).length).toBe(10);
  });

  test("is opened again by the descriptor that its writer had, unless too many are kept", async () => {
    const spool = await open({ idle: 1 });
    const [kept, other] = [await spool.create(), await spool.create()];
    const { fd } = kept;
    await kept.write(0, Buffer.from("kept"));
    await other.write(0, Buffer.from("other"));
    kept.release();
    other.release();
    expect(await spool.sizeOf(kept.id)).toBe(4);
    expect(await spool.sizeOf(other.id)).toBe(5);
    const [again, reopened] = [await spool.open(kept.id), await spool.open(other.id)];
    expect(again.fd).toBe(fd);
    expect(Buffer.from(await reopened.read(0, 9)).toString()).toBe("other");
    again.release();
    reopened.release();
    spool.discard(kept.id);
    await vi.waitFor(async () => expect(await spool.sizeOf(kept.id)).toBeUndefined());
    await expect(spool.open(kept.id)).rejects.toMatchObject({ code: "EIO" });
    // closed with the file, or the disk would never get the blocks back
    const descriptors = await Promise.all(
      (await readdir("/proc/self/fd")).map((name) =>
        readlink(`/proc/self/fd/${name}`).catch(() => ""),
      ),
    );
    expect(descriptors.filter((path) => path.includes(kept.id))).toEqual([]);
  });

  test("shares one descriptor between its uses, and closes it with the last", async () => {
    const spool = await open();
    const file = await spool.create();
    const [second, third] = await Promise.all([spool.open(file.id), spool.open(file.id)]);
    expect(second.fd).toBe(file.fd);
    expect(third.fd).toBe(file.fd);
    file.release();
    file.release();
    await second.write(0, Buffer.from("x"));
    second.release();
    third.release();
    await expect(third.read(0, 1)).rejects.toMatchObject({ code: "EBADF" });
    const again = await spool.open(file.id);
    expect(Buffer.from(await again.read(0, 10)).toString()).toBe("x");
    again.release();
  });

  test("rejects with EIO when it is gone", async () => {
    const spool = await open();
    await expect(spool.open("nothing")).rejects.toMatchObject({ code: "EIO" });
  });

  test("keeps its descriptor over discard(), which waits for records", async () => {
    const spool = await open();
    const file = await spool.create();
    await file.write(0, Buffer.from("bytes"));
    spool.retain(file.id);
    spool.discard(file.id);
    expect(await spool.sizeOf(file.id)).toBe(5);
    spool.unretain(file.id);
    await vi.waitFor(async () => expect(await spool.sizeOf(file.id)).toBeUndefined());
    expect(Buffer.from(await file.read(0, 5)).toString()).toBe("bytes");
    file.release();
    await spool.room.sample();
    expect(spool.room.used).toBe(0);
  });

  describe.each([true, false])("with system calls: %s", (withCalls) => {
    /** 2 MB of data between holes, and its copy. */
    async function copied(): Promise<{ copy: StagedFile; hasCalls: boolean }> {
      const system = withCalls ? await loadSystemCalls() : undefined;
      const spool = await open({ system });
      const file = await spool.create();
      await file.write(5_000_000, rampBytes(2_000_000));
      await file.truncate(9_000_000);
      const copy = await spool.copy(file);
      await file.write(5_000_000, Buffer.from("changed afterwards"));
      file.release();
      return { copy, hasCalls: system !== undefined };
    }

    test("is copied as it is now, holes as holes", async () => {
      const { copy, hasCalls } = await copied();
      expect(copy.stat().size).toBe(9_000_000);
      const expected = Buffer.concat([Buffer.alloc(5_000_000), rampBytes(2_000_000)]);
      expect(Buffer.from(await copy.read(0, 7_000_000)).equals(expected)).toBe(true);
      expect(copy.stat().blocks * 512).toBeLessThan(hasCalls ? 4_000_000 : 10_000_000);
      copy.release();
    });

    test("finds data and holes, as far as the system tells", async () => {
      const { copy, hasCalls } = await copied();
      expect((await copy.seek(7, 3)) > 4_000_000).toBe(hasCalls);
      expect(await copy.seek(6_900_000, 4)).toBeGreaterThanOrEqual(7_000_000);
      await expect(copy.seek(10_000_000, 3)).rejects.toMatchObject({ code: "ENXIO" });
      copy.release();
    });

    test("is allocated where fallocate(2) is to be had", async () => {
      const { copy, hasCalls } = await copied();
      const result = await copy.allocate(0, 9_000_000, 4096).then(
        () => copy.stat().size,
        (error: FsError) => error.code,
      );
      expect(result).toBe(hasCalls ? 9_004_096 : "EOPNOTSUPP");
      copy.release();
    });
  });

  test("has a unique id that sorts by age, also in a burst", async () => {
    const spool = await open();
    const files = await Promise.all(Array.from({ length: 30 }, () => spool.create()));
    await Promise.all(files.map((file) => file.sync()));
    const ids = files.map(({ id }) => id);
    expect(new Set(ids).size).toBe(30);
    expect(ids.every((id) => /^[0-9a-z]{9}-[0-9a-z]{7}$/.test(id))).toBe(true);
    for (const file of files) file.release();
  });
});

test("close() leaves no spare files behind", async () => {
  const spool = await open();
  const file = await spool.create();
  await vi.waitFor(async () => {
    expect((await readdir(join(folder.path, "spool"))).length).toBe(5);
  });
  file.release();
  await opened.pop()?.close();
  expect(await readdir(join(folder.path, "spool"))).toEqual([file.id]);
});

test("quarantine() keeps the bytes with a note beside them", async () => {
  const spool = await open();
  const file = await spool.create();
  await file.write(0, Buffer.from("bytes"));
  file.release();
  const path = await spool.quarantine(file.id, { reason: "test", key: "a", size: 7 });
  expect(path).toBe(join(folder.path, "quarantine", file.id));
  expect((await readFile(path)).toString()).toBe("bytes");
  const note: unknown = JSON.parse((await readFile(`${path}.json`)).toString());
  expect(note).toMatchObject({ reason: "test", key: "a", size: 7 });
});

describe("room", () => {
  const block = Buffer.alloc(64 * 1024, 1);

  test("write() rejects with ENOSPC when no room was made until the deadline", async () => {
    const spool = await open({ spoolSize: 2 * block.length, roomWaitMs: 50, spares: 0 });
    const file = await spool.create();
    await file.write(0, block);
    await file.write(block.length, block);
    await expect(file.write(2 * block.length, block)).rejects.toMatchObject({ code: "ENOSPC" });
    expect(file.stat().size).toBe(2 * block.length);
    file.release();
  });

  test("write() waits for room only for what is left of the time since S3 went away", async () => {
    const roomWaitMs = 3_600_000;
    let failingSinceMs: number | undefined = Date.now() - roomWaitMs + 50;
    const spool = await open({
      spoolSize: 2 * block.length,
      roomWaitMs,
      spares: 0,
      failingSinceMs: () => failingSinceMs,
    });
    const file = await spool.create();
    await file.write(0, Buffer.concat([block, block]));
    const full = { code: "ENOSPC" };
    await expect(file.write(2 * block.length, block)).rejects.toMatchObject(full);
    failingSinceMs = 0;
    await expect(file.write(2 * block.length, block)).rejects.toMatchObject(full);
    file.release();
  });

  test("write() goes on as soon as an upload made room", async () => {
    const spool = await open({ spoolSize: 2 * block.length, roomWaitMs: 5000, spares: 0 });
    const first = await spool.create();
    await first.write(0, Buffer.concat([block, block]));
    first.release();
    const second = await spool.create();
    let isWritten = false;
    const writing = second.write(0, block).then(() => (isWritten = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isWritten).toBe(false);
    spool.discard(first.id);
    await writing;
    second.release();
  });

  test("a file that is opened again counts as before, also while a sample is taken", async () => {
    const spool = await open({ spoolSize: 4 * block.length, roomWaitMs: 50, spares: 0 });
    const file = await spool.create();
    await file.write(0, block);
    file.release();
    await spool.room.sample();
    const { used } = spool.room;
    expect(used).toBe(block.length);
    const sampling = spool.room.sample();
    const again = await spool.open(file.id);
    expect(spool.room.used).toBe(used);
    await sampling;
    expect(spool.room.used).toBe(used);
    again.release();
    expect(spool.room.used).toBe(used);
  });

  test("overwriting the same bytes does not use up room", async () => {
    const spool = await open({ spoolSize: 2 * block.length, roomWaitMs: 50, spares: 0 });
    const file = await spool.create();
    for (let i = 0; i < 10; i++) await file.write(0, block);
    expect(file.stat().size).toBe(block.length);
    file.release();
  });

  test("counts what the kernel wrote unseen, and files of an earlier run", async () => {
    const spool = await open({ spoolSize: 8 * block.length, spares: 0 });
    expect(spool.roomy()).toBe(true);
    const file = await spool.create();
    await writeFile(`/proc/self/fd/${file.fd}`, Buffer.alloc(7 * block.length, 1));
    await spool.room.sample();
    expect(spool.roomy()).toBe(false);
    file.release();
    const next = await open({ spoolSize: 8 * block.length, spares: 0 });
    await next.leftovers();
    expect(next.room.used).toBe(7 * block.length);
    expect(next.roomy()).toBe(false);
  });

  test("leaves --min-free on the disk", async () => {
    const spool = await open({ minFree: { fraction: 1 }, roomWaitMs: 20, spares: 0 });
    expect(spool.roomy()).toBe(false);
    const file = await spool.create();
    await expect(file.write(0, block)).rejects.toMatchObject({ code: "ENOSPC" });
    file.release();
  });
});

test("open() rejects with one clear error when the directory cannot be made", async () => {
  await mkdir(join(folder.path, "state"));
  await writeFile(join(folder.path, "state", "spool"), "in the way");
  await expect(open({ stateDir: join(folder.path, "state") })).rejects.toMatchObject({
    name: "FsError",
  });
});
