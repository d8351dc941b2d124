// What a local directory does where koffi is missing, or the disk says no.
import { mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type DirectoryResult, dir } from "tmp-promise";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskRoom } from "../../../src/local/disk-room.ts";
import { LocalFileSystem } from "../../../src/local/local-file-system.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../../../src/fs/file-system.ts";
import { O_CREAT, O_RDWR } from "../../../src/posix/open-flags.ts";
import { context } from "../fs/core-fixture.ts";

let folder: DirectoryResult;
let local: LocalFileSystem;

beforeEach(async () => {
  folder = await dir({ unsafeCleanup: true });
  const room = new DiskRoom(folder.path, { bytes: 0 });
  local = new LocalFileSystem(folder.path, { system: undefined, room, changed: () => undefined });
});
afterEach(async () => {
  local.close();
  await folder.cleanup();
});

test("without system calls of our own times have microseconds, and xattrs are refused", async () => {
  await local.mkdir("/a", 0o755, context);
  const mtime = 1_700_000_000_123_456_789n;
  const { stat } = await local.setattr("/a", { mtime });
  expect(Number(stat.mtime - mtime)).toBeLessThan(1000);
  expect(Number(mtime - stat.mtime)).toBeLessThan(1000);
  await expect(local.setxattr("/a", "user.x", Buffer.from("y"), 0)).rejects.toMatchObject({
    code: "EOPNOTSUPP",
  });
  expect(await local.listxattr("/a")).toEqual([]);
  await expect(local.mknod("/fifo", 0o010644, 0, context)).rejects.toMatchObject({ code: "EPERM" });
  await local.mknod("/file", 0o100600, 0, context);
  expect((await local.getattr("/file")).stat.mode).toBe(0o100600);
  const file = await local.create("/sparse", O_CREAT | O_RDWR, 0o644, context);
  await file.write(0, Buffer.from("text"), context);
  expect(await file.lseek(0, 4, context)).toBe(4);
  await expect(file.fallocate(0, 0, 100, context)).rejects.toMatchObject({ code: "EOPNOTSUPP" });
  file.release();
});

test("the flags of renameat2(2) are those of the rest of the mount", async () => {
  await local.mkdir("/a", 0o755, context);
  await local.mkdir("/b", 0o755, context);
  await expect(local.rename("/a", "/b", RENAME_EXCHANGE)).rejects.toMatchObject({ code: "EINVAL" });
  await expect(local.rename("/a", "/b", RENAME_NOREPLACE)).rejects.toMatchObject({
    code: "EEXIST",
  });
  await local.rename("/a", "/c", RENAME_NOREPLACE);
  expect((await readdir(folder.path)).sort()).toEqual(["b", "c"]);
});

test("more directories than stay open work all the same, renamed and removed ones too", async () => {
  const before = (await readdir("/proc/self/fd")).length;
  const paths = Array.from({ length: 200 }, (_, index) => `/d${index}/e`);
  for (const path of paths) {
    await local.mkdir(path.slice(0, -2), 0o755, context);
    await local.mkdir(path, 0o755, context);
    (await local.create(`${path}/f`, O_CREAT | O_RDWR, 0o644, context)).release();
  }
  await Promise.all(paths.map((path) => local.getattr(`${path}/f`)));
  await local.rename("/d199", "/moved", 0);
  expect(await local.lookup("/d199/e/f")).toBeUndefined();
  expect((await local.getattr("/moved/e/f")).stat.size).toBe(0);
  await local.unlink("/moved/e/f");
  await local.rmdir("/moved/e");
  await local.mkdir("/moved/e", 0o755, context);
  expect(await local.lookup("/moved/e/f")).toBeUndefined();
  // of 400 directories
  expect((await readdir("/proc/self/fd")).length - before).toBeLessThan(100);
});

test("a link that somebody puts beside the mount is not followed", async () => {
  await mkdir(join(folder.path, "kept"));
  await symlink("/etc", join(folder.path, "kept/etc"));
  await expect(local.opendir("/kept/etc")).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(local.lookup("/kept/etc/passwd")).rejects.toMatchObject({ code: "ENOTDIR" });
  expect(await local.readlink("/kept/etc")).toBe("/etc");
});

test("a directory handle tells what was removed meanwhile only where it told it before", async () => {
  for (let index = 0; index < 100; index += 1) {
    await local.mknod(`/f${index}`, 0o100644, 0, context);
  }
  const handle = await local.opendir("/");
  const first = await handle.read(0, context);
  const gone = first[0]?.name ?? "";
  await local.unlink(`/${gone}`);
  const told = new Set(first.map(({ name }) => name));
  const late = (await readdir(folder.path)).find((name) => !told.has(name)) ?? "";
  await local.unlink(`/${late}`);
  const rest = await handle.read(first.length, context);
  const names = [...first, ...rest].map(({ name }) => name);
  expect(names).toHaveLength(99);
  expect(names).not.toContain(late);
  const [again] = await handle.read(0, context);
  expect(again).toMatchObject({ name: gone, validMs: 0, stat: { mode: 0 } });
  handle.release();
});

test("what the disk refuses is its errno", async () => {
  await local.mkdir("/a", 0o755, context);
  await expect(local.mkdir("/a", 0o755, context)).rejects.toMatchObject({ code: "EEXIST" });
  await expect(local.unlink("/a")).rejects.toMatchObject({ code: "EISDIR" });
  await expect(local.open("/a", 0)).rejects.toMatchObject({ code: "EISDIR" });
  await expect(local.setattr("/a", { size: 0 })).rejects.toMatchObject({ code: "EISDIR" });
  await expect(local.getattr("/b")).rejects.toMatchObject({ code: "ENOENT" });
});
