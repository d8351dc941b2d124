// --metadata=object: attributes travel with the object, at the price that is promised.
import { expect, test } from "vitest";
import { O_CREAT, O_WRONLY } from "../../../src/posix/open-flags.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { makeFile, writeFile } from "../../posix/suite/context.ts";
import { context, countsOf, driverOf } from "./core-fixture.ts";
import {
  TIME,
  checkTree,
  elsewhere,
  makeTree,
  metadata,
  objectCore,
  putObject,
} from "./object-metadata-fixture.ts";

test("attributes, symlinks and fifos are the same on another host", async () => {
  const core = await objectCore();
  await makeTree(driverOf(core));
  await checkTree(driverOf(core), "/d");
  await checkTree(await elsewhere(core), "/d");
});

test("what is changed after the upload is, too", async () => {
  const core = await objectCore();
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await core.core.drained();
  await driver.chmod("/f", 0o600);
  await core.core.drained();
  await driver.utimens("/f", 1n, TIME);
  const there = await elsewhere(core);
  expect(await there.lstat("/f")).toMatchObject({ mode: FileType.file | 0o600, mtime: TIME });
});

test("a rename takes them along, of a whole tree, before and after the upload", async () => {
  const core = await objectCore();
  const driver = driverOf(core);
  await makeTree(driver);
  await driver.rename("/d", "/e");
  await checkTree(driver, "/e");
  await core.core.drained();
  await driver.chmod("/e/f", 0o600);
  await driver.rename("/e", "/g");
  await driver.chmod("/g/f", 0o640);
  await driver.utimens("/g/f", TIME - 5n, TIME);
  await checkTree(driver, "/g");
  await checkTree(await elsewhere(core), "/g");
  expect(core.s3.bucket.objects.keys).toEqual(["g/", "g/f", "g/l", "g/p"]);
});

test("a tree renamed by a host that had not looked into it keeps its types", async () => {
  const core = await objectCore();
  await makeTree(driverOf(core));
  const there = await elsewhere(core);
  await there.rename("/d", "/e");
  await checkTree(there, "/e");
  await core.core.drained();
  await checkTree(there, "/e");
});

test("removing the tree leaves nothing in the bucket", async () => {
  const core = await objectCore();
  await makeTree(driverOf(core));
  const there = await elsewhere(core);
  for (const name of ["f", "l", "p"]) await there.unlink(`/d/${name}`);
  await there.rmdir("/d");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual([]);
});

test("ten changes of an uploaded file are one copy", async () => {
  const core = await objectCore({ concurrency: "1" });
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await core.core.drained();
  core.s3.reset();
  // the first may be under way before the others come
  core.s3.settings.latencyMs = 100;
  for (let i = 0; i < 10; i += 1) await driver.chmod("/f", 0o600 + i);
  core.s3.settings.latencyMs = 0;
  await core.core.drained();
  const { COPY = 0 } = countsOf(core);
  expect(COPY).toBeLessThanOrEqual(2);
  expect(metadata(core, "f")["mode"]).toBe(String(FileType.file | 0o611));
});

test("changes before the upload cost nothing, as rsync makes them", async () => {
  const core = await objectCore();
  const driver = driverOf(core);
  await driver.readdir("/");
  await core.core.drained();
  core.s3.reset();
  const file = await driver.open("/.f.tmp", O_WRONLY | O_CREAT, 0o600);
  await file.write(0, "text");
  await file.close();
  await driver.utimens("/.f.tmp", TIME, TIME);
  await driver.chmod("/.f.tmp", 0o644);
  await driver.chown("/.f.tmp", 3, 4);
  await driver.rename("/.f.tmp", "/f");
  await core.core.drained();
  expect(countsOf(core)).toEqual({ PUT: 1 });
  expect(metadata(core, "f")).toMatchObject({ uid: "3", gid: "4", mtime: "1000000000.123456789" });
});

test("a change of an uploaded file costs a HEAD and a COPY, and keeps what others put there", async () => {
  const core = await objectCore();
  const theirs = { "file-permissions": "0100600", "file-mtime": "5ns", note: "kept" };
  const type = { "content-type": "image/png", "cache-control": "max-age=9" };
  putObject(core, "f", "text", theirs, type);
  const driver = driverOf(core);
  expect(await driver.lstat("/f")).toMatchObject({ mode: FileType.file | 0o600, mtime: 5n });
  core.s3.reset();
  await driver.chmod("/f", 0o640);
  await core.core.drained();
  expect(countsOf(core)).toEqual({ HEAD: 1, COPY: 1 });
  expect(metadata(core, "f")).toMatchObject({
    mode: String(FileType.file | 0o640),
    "file-permissions": "0100640",
    note: "kept",
  });
  expect(core.s3.bucket.objects.get("f")?.headers).toMatchObject(type);
});

test("ls -l asks each object once, also over a restart, and again when it was touched", async () => {
  const core = await objectCore({ "stat-cache-ttl": "0s" });
  for (let i = 0; i < 100; i += 1) {
    putObject(core, `f${i}`, "x", { mode: String(FileType.file | 0o600) });
  }
  const list = async (): Promise<void> => {
    const driver = driverOf(core);
    const handle = await core.core.fileSystem.opendir("/", context);
    let count = 0;
    for (;;) {
      const batch = await handle.read(count, context, true);
      if (batch.length === 0) break;
      for (const { stat } of batch) expect(stat.mode).toBe(FileType.file | 0o600);
      count += batch.length;
    }
    handle.release();
    expect(count).toBe(100);
    await driver.lstat("/");
  };
  await list();
  expect(countsOf(core)).toMatchObject({ HEAD: 100, LIST: 1 });
  core.s3.reset();
  await list();
  expect(countsOf(core)).toEqual({ LIST: 1 });
  await core.reopen();
  core.s3.reset();
  await list();
  expect(countsOf(core)).toEqual({ LIST: 1 });
  core.s3.reset();
  const touched = core.s3.bucket.objects.get("f7");
  if (touched) core.s3.bucket.put({ ...touched, lastModified: Date.now() + 5000 });
  await list();
  expect(countsOf(core)).toEqual({ LIST: 1, HEAD: 1 });
});

test("a plain listing asks no object, and does not tell a type that it does not know", async () => {
  const core = await objectCore();
  putObject(core, "l", "target", { mode: String(FileType.symlink | 0o777) });
  const handle = await core.core.fileSystem.opendir("/", context);
  const [entry] = await handle.read(0, context, false);
  expect(entry).toMatchObject({ name: "l", stat: { mode: 0 } });
  expect(countsOf(core)).toEqual({ LIST: 1 });
  handle.release();
});

test("what this host uploaded is not asked for when the listing shows it", async () => {
  const core = await objectCore({ "stat-cache-ttl": "0s" });
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await driver.utimens("/f", TIME, TIME);
  await core.core.drained();
  core.s3.reset();
  expect((await driver.lstat("/f")).mtime).toBe(TIME);
  await driver.readdir("/");
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 2 });
});

test("another host's change of attributes is seen when the listing is made again", async () => {
  const core = await objectCore({ "stat-cache-ttl": "0s" });
  const driver = driverOf(core);
  await makeFile(driver, "/f");
  await core.core.drained();
  const before = core.s3.bucket.objects.get("f");
  const headers = { ...before?.headers, "x-amz-meta-mode": String(FileType.file | 0o400) };
  if (before) core.s3.bucket.put({ ...before, headers, lastModified: Date.now() + 5000 });
  expect((await driver.lstat("/f")).mode).toBe(FileType.file | 0o400);
});

test("a file that became a symlink elsewhere has another inode", async () => {
  const core = await objectCore({ "stat-cache-ttl": "0s" });
  const driver = driverOf(core);
  await writeFile(driver, "/f", "text");
  await core.core.drained();
  const { ino } = await driver.lstat("/f");
  putObject(core, "f", "to", { mode: String(FileType.symlink | 0o777) });
  const now = await driver.lstat("/f");
  expect(now.mode & FileType.mask).toBe(FileType.symlink);
  expect(now.ino).not.toBe(ino);
  expect(await driver.readlink("/f")).toBe("to");
});
