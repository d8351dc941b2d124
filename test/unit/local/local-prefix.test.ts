// --local-prefix: what is kept on the local disk for good, beside a bucket.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { fileSystemDriver } from "../../posix/file-system-driver.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { writeFile } from "../../posix/suite/context.ts";
import { startCore, type TestCore } from "../../support/core.ts";
import { context } from "../fs/core-fixture.ts";
import type { LoopbackS3 } from "../../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { setLogSink } from "../../../src/log.ts";

const running: TestCore[] = [];
afterEach(async () => {
  for (const core of running.splice(0)) await core.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

async function localCore(
  options: Record<string, string> = {},
  fill?: (s3: LoopbackS3) => void,
): Promise<{ core: TestCore; driver: PosixDriver; counts: () => object }> {
  const core = await startCore({ "local-prefix": "kept,also", ...options }, fill);
  running.push(core);
  const driver = fileSystemDriver(core.core.local.fileSystem);
  return { core, driver, counts: () => core.s3.counts };
}

function logged(): string[] {
  const lines: string[] = [];
  setLogSink((line) => lines.push(line), "plain");
  return lines;
}

async function read(driver: PosixDriver, path: string): Promise<string> {
  const file = await driver.open(path, 0);
  try {
    return (await file.read(0, 1000)).toString();
  } finally {
    await file.close();
  }
}

test("nothing in a local prefix costs a request, whatever is done there", async () => {
  const { core, driver, counts } = await localCore();
  await expect(driver.lstat("/kept")).rejects.toMatchObject({ code: "ENOENT" });
  await driver.mkdir("/kept");
  await driver.mkdir("/kept/2026-01-01");
  await writeFile(driver, "/kept/2026-01-01/a", "text");
  await driver.rename("/kept/2026-01-01/a", "/kept/b");
  await driver.setxattr("/kept/b", "user.x", "y");
  expect(await read(driver, "/kept/b")).toBe("text");
  await expect(driver.lstat("/kept/absent/x")).rejects.toMatchObject({ code: "ENOENT" });
  expect([...(await driver.readdir("/kept")).keys()].sort()).toEqual(["2026-01-01", "b"]);
  await core.core.local.refresh("/kept/b");
  await core.core.drained();
  await driver.unlink("/kept/b");
  await driver.rmdir("/kept/2026-01-01");
  await driver.rmdir("/kept");
  expect(await readdir(join(core.options.spool.stateDirectory, "local"))).toEqual([]);
  expect(counts()).toEqual({});
  expect(core.s3.bucket.objects.size).toBe(0);
});

test("local files survive a restart, with inode numbers that no other name has", async () => {
  const { core, driver } = await localCore();
  await driver.mkdir("/kept");
  await writeFile(driver, "/kept/a", "text");
  await driver.chmod("/kept/a", 0o640);
  await driver.utimens("/kept/a", 1_000_000_001n, 2_000_000_002n);
  await writeFile(driver, "/far", "object");
  const before = await driver.lstat("/kept/a");
  const far = await driver.lstat("/far");
  expect(before.ino).toBeGreaterThan(2 ** 52);
  expect(far.ino).toBeLessThan(2 ** 52);
  await core.reopen();
  const again = fileSystemDriver(core.core.local.fileSystem);
  expect(await again.lstat("/kept/a")).toEqual(before);
  expect(before).toMatchObject({ mode: 0o100640, mtime: 2_000_000_002n });
  expect(await read(again, "/kept/a")).toBe("text");
});

test("a rename over the border is EXDEV, between two local prefixes it works", async () => {
  const { driver } = await localCore();
  await driver.mkdir("/kept");
  await driver.mkdir("/also");
  await writeFile(driver, "/kept/a", "local");
  await writeFile(driver, "/far", "object");
  for (const [from, to] of [
    ["/kept/a", "/a"],
    ["/far", "/kept/far"],
    ["/kept", "/elsewhere"],
  ] as const) {
    await expect(driver.rename(from, to)).rejects.toMatchObject({ code: "EXDEV" });
  }
  await driver.rename("/kept/a", "/also/a");
  expect(await read(driver, "/also/a")).toBe("local");
});

test("the root lists local names once, and none of the bucket's that they hide", async () => {
  const lines = logged();
  const { core, driver, counts } = await localCore({ "stat-cache-ttl": "1h" }, (s3) => {
    for (const key of ["also/old", "kept/old", "far", "kept.txt", "zoo/x"]) s3.putText(key, "x");
  });
  expect([...(await driver.readdir("/")).keys()].sort()).toEqual(["far", "kept.txt", "zoo"]);
  await driver.mkdir("/kept");
  expect([...(await driver.readdir("/")).keys()].sort()).toEqual([
    "far",
    "kept",
    "kept.txt",
    "zoo",
  ]);
  await expect(driver.lstat("/kept/old")).rejects.toMatchObject({ code: "ENOENT" });
  const told = (): string[] => lines.filter((line) => line.includes("hides them"));
  expect(told()).toHaveLength(2);
  const asked = JSON.stringify(counts());
  // known from the index of names
  lines.length = 0;
  await core.reopen();
  expect(told()).toHaveLength(2);
  expect(JSON.stringify(counts())).toBe(asked);
});

test("a listing of the root goes on from any offset that it told", async () => {
  const { core, driver } = await localCore({}, (s3) => {
    for (let index = 0; index < 40; index += 1) s3.putText(`f${index + 10}`, "x");
    for (const key of ["also/old", "kept/old"]) s3.putText(key, "x");
  });
  await driver.mkdir("/kept");
  const all = [...(await driver.readdir("/")).keys()];
  expect(all).toHaveLength(41);
  const root = await core.core.local.fileSystem.opendir("/", context);
  for (let told = 0; told < all.length;) told += (await root.read(told, context)).length;
  for (const offset of [40, 0, 17, 41, 1, 39, 3]) {
    const [first] = await root.read(offset, context);
    expect(first?.name).toBe(all[offset]);
  }
  root.release();
});

test("min_free ends writes with ENOSPC, and files that are there are still read", async () => {
  const { core, driver } = await localCore();
  await driver.mkdir("/kept");
  await writeFile(driver, "/kept/a", "text");
  // more than the disk has
  const full = { "local-prefix": "kept", "min-free": "1000T" };
  await core.reopen({ options: full });
  const again = fileSystemDriver(core.core.local.fileSystem);
  await expect(writeFile(again, "/kept/b", "text")).rejects.toMatchObject({ code: "ENOSPC" });
  expect(await read(again, "/kept/a")).toBe("text");
});

test("status tells what is kept, and follows it", async () => {
  const { core, driver } = await localCore();
  await driver.mkdir("/kept");
  await writeFile(driver, "/kept/a", "x".repeat(100_000));
  const kept = (): number | undefined => core.core.status().local?.bytes;
  await waitUntil("the file is counted", () => (kept() ?? 0) >= 100_000);
  expect(core.core.status().local?.files).toBe(1);
  await driver.unlink("/kept/a");
  await waitUntil("it is no longer", () => core.core.status().local?.files === 0);
});

test("an unlinked open file goes on, and its place on the disk is free once it is closed", async () => {
  const { core, driver } = await localCore();
  await driver.mkdir("/kept");
  const file = await driver.open("/kept/a", 0o102, 0o600);
  await file.write(0, "text");
  await driver.unlink("/kept/a");
  expect((await file.stat()).nlink).toBe(0);
  expect((await file.read(0, 10)).toString()).toBe("text");
  await file.close();
  expect(await readdir(join(core.options.local.directory, "kept"))).toEqual([]);
});

test("a link in the place of a directory leads nowhere", async () => {
  const { core, driver } = await localCore();
  const outside = join(core.options.spool.stateDirectory, "outside");
  await driver.mkdir("/kept");
  await driver.mkdir("/kept/dir");
  await writeFile(driver, "/kept/dir/a", "text");
  // who has looked the directory up, and then calls: it is another one now
  await driver.rename("/kept/dir", "/kept/moved");
  await driver.symlink(core.options.spool.stateDirectory, "/kept/dir");
  for (const call of [
    () => driver.mkdir("/kept/dir/outside"),
    () => writeFile(driver, "/kept/dir/outside", "x"),
    () => driver.readdir("/kept/dir"),
    () => driver.rename("/kept/moved/a", "/kept/dir/outside"),
    () => driver.unlink("/kept/dir/journal.mdb"),
    () => driver.lstat("/kept/dir/journal.mdb"),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: "ENOTDIR" });
  }
  await expect(stat(outside)).rejects.toMatchObject({ code: "ENOENT" });
  const secret = join(core.options.spool.stateDirectory, "journal.mdb");
  const before = await stat(secret);
  await driver.symlink(secret, "/kept/file");
  await expect(driver.open("/kept/file", 0)).rejects.toMatchObject({ code: "ELOOP" });
  await driver.chown("/kept/file", 4711, 4711);
  await driver.utimens("/kept/file", 1n, 1n);
  await expect(driver.truncate("/kept/file", 0)).rejects.toMatchObject({ code: "EINVAL" });
  const after = await stat(secret);
  expect([after.uid, after.size, after.mode]).toEqual([before.uid, before.size, before.mode]);
  expect(after.atimeMs).toBeGreaterThan(1);
  expect((await driver.lstat("/kept/file")).uid).toBe(4711);
});

test("what an earlier local prefix left is told of, and shown again when it is back", async () => {
  const { core, driver } = await localCore();
  await driver.mkdir("/kept");
  await writeFile(driver, "/kept/a", "text");
  const lines = logged();
  await core.reopen({ options: {} });
  expect(lines.filter((line) => line.includes("of an earlier local_prefix"))).toHaveLength(1);
  const without = fileSystemDriver(core.core.local.fileSystem);
  await expect(without.lstat("/kept")).rejects.toMatchObject({ code: "ENOENT" });
  await core.reopen({ options: { "local-prefix": "kept" } });
  const again = fileSystemDriver(core.core.local.fileSystem);
  expect(await read(again, "/kept/a")).toBe("text");
  const place = join(core.options.local.directory, "kept/a");
  expect(await readFile(place, "utf8")).toBe("text");
});
