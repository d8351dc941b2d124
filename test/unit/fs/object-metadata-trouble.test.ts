// --metadata=object where others, S3 or this host go wrong.
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import { makeFile, readFile, writeFile } from "../../posix/suite/context.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { driverOf } from "./core-fixture.ts";
import { elsewhere, makeTree, metadata, objectCore, putObject } from "./object-metadata-fixture.ts";

test("a change of an object that somebody replaced is given up, and theirs is shown", async () => {
  const core = await objectCore({ "s3-deadline": "2s" });
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await core.core.drained();
  putObject(core, "f", "theirs", { mode: String(FileType.file | 0o444), uid: "9" });
  await driver.chmod("/f", 0o600);
  await core.core.drained();
  expect(metadata(core, "f")).toEqual({ mode: String(FileType.file | 0o444), uid: "9" });
  expect(await driver.lstat("/f")).toMatchObject({ mode: FileType.file | 0o444, uid: 9, size: 6 });
});

test("a copy that S3 refuses does not hold up the next content", async () => {
  const core = await objectCore({ "s3-deadline": "1s" });
  const driver = driverOf(core);
  await writeFile(driver, "/f", "old");
  await core.core.drained();
  core.s3.faults.add({
    verbs: ["COPY"],
    effect: { kind: "status", status: 403, code: "AccessDenied" },
  });
  await driver.chmod("/f", 0o600);
  await waitUntil("it is under way", () => core.s3.count("COPY") > 0);
  await writeFile(driver, "/f", "new");
  await core.core.drained();
  core.s3.faults.clear();
  expect(metadata(core, "f")["mode"]).toBe(String(FileType.file | 0o600));
  expect(await readFile(await elsewhere(core), "/f")).toBe("new");
});

test("senseless metadata falls back on the options", async () => {
  const core = await objectCore({ uid: "5", gid: "6", "file-mode": "0640" });
  const senseless = { mode: "-1", uid: "x", gid: "99999999999", mtime: "yesterday", xattr: "%%" };
  putObject(core, "f", "text", senseless);
  putObject(core, "s", "text", { mode: String(FileType.file | 0o6755) });
  putObject(core, "big", "x".repeat(5000), { mode: String(FileType.symlink | 0o777) });
  putObject(core, "dev", "bytes", { mode: String(FileType.blockDevice | 0o666) });
  putObject(core, "dir", "bytes", { mode: String(FileType.directory | 0o755) });
  const driver = driverOf(core);
  expect(await driver.lstat("/f")).toMatchObject({ mode: FileType.file | 0o640, uid: 5, gid: 6 });
  expect((await driver.lstat("/s")).mode).toBe(FileType.file | 0o755);
  expect((await driver.lstat("/big")).mode).toBe(FileType.file | 0o777);
  expect((await driver.lstat("/dev")).mode).toBe(FileType.file | 0o666);
  expect((await driver.lstat("/dir")).mode).toBe(FileType.file | 0o640);
});

test("attributes that were never told are not made up while S3 is away", async () => {
  const core = await objectCore({ "s3-deadline": "1s", "stat-cache-ttl": "0s" });
  putObject(core, "f", "text", { mode: String(FileType.file) });
  putObject(core, "g", "text", { mode: String(FileType.file) });
  const driver = driverOf(core);
  expect((await driver.lstat("/g")).mode).toBe(FileType.file);
  core.s3.faults.add({ verbs: ["HEAD", "LIST"], effect: { kind: "status", status: 503 } });
  await expect(driver.lstat("/f")).rejects.toMatchObject({ code: "EIO" });
  expect((await driver.lstat("/g")).mode).toBe(FileType.file);
});

test("xattrs that an object has no room for are refused", async () => {
  const core = await objectCore();
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await driver.setxattr("/f", "user.small", "x".repeat(500));
  await expect(driver.setxattr("/f", "user.big", "x".repeat(2000))).rejects.toMatchObject({
    code: "ENOSPC",
  });
  expect(await driver.listxattr("/f")).toEqual(["user.small"]);
});

test("a chmod survives the loss of the index before it reached the bucket", async () => {
  const core = await objectCore({ "s3-deadline": "1s" });
  const driver = driverOf(core);
  await makeTree(driver);
  await core.core.drained();
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  await driver.chmod("/d/f", 0o600);
  await driver.symlink("late", "/d/late");
  await core.reopen({ lostIndex: true });
  core.s3.faults.clear();
  await core.core.drained();
  expect(metadata(core, "d/f")["mode"]).toBe(String(FileType.file | 0o600));
  const there = await elsewhere(core);
  expect((await there.lstat("/d/f")).mode).toBe(FileType.file | 0o600);
  expect(await there.readlink("/d/late")).toBe("late");
});
