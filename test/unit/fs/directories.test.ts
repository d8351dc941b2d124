/* oxlint-disable vitest/expect-expect -- fails() expects */
// Directories: implied by keys, made here, or marked by other tools.
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import { fails, writeFile } from "../../posix/suite/context.ts";
import { countsOf, driverOf, objectText, testCore } from "./core-fixture.ts";

const atOnce = { "stat-cache-ttl": "0", "negative-ttl": "0" };

test("mkdir is free, and what it made is there after a restart without its cache", async () => {
  const core = await testCore();
  await driverOf(core).readdir("/");
  core.s3.reset();
  await driverOf(core).mkdir("/d");
  await driverOf(core).mkdir("/d/e");
  await core.core.drained();
  expect(core.s3.count()).toBe(0);
  await core.reopen({ emptyCache: true });
  expect([...(await driverOf(core).readdir("/d")).keys()]).toEqual(["e"]);
});

test("an implied directory stays when its last file is removed, until rmdir", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  core.s3.putText("a/b/c/f", "x");
  await driver.unlink("/a/b/c/f");
  await core.core.drained();
  expect([...(await driver.readdir("/a/b")).keys()]).toEqual(["c"]);
  await driver.rmdir("/a/b/c");
  // the ones above are implied by nothing either, now
  expect([...(await driver.readdir("/a")).keys()]).toEqual(["b"]);
  await driver.rmdir("/a/b");
  await driver.rmdir("/a");
  await fails(driver.lstat("/a"), "ENOENT");
});

test("an implied directory stays when its last file is renamed away", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  core.s3.putText("a/f", "x");
  await driver.rename("/a/f", "/f");
  await core.core.drained();
  expect([...(await driver.readdir("/")).keys()].sort()).toEqual(["a", "f"]);
  await core.reopen();
  expect((await driverOf(core).readdir("/a")).size).toBe(0);
});

test("rmdir is ENOTEMPTY for what is only in the bucket, and for what is only here", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  await driver.mkdir("/d");
  core.s3.putText("d/theirs", "x");
  await fails(driver.rmdir("/d"), "ENOTEMPTY");
  core.s3.bucket.delete("d/theirs");
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await writeFile(driver, "/d/ours", "x");
  await fails(driver.rmdir("/d"), "ENOTEMPTY");
  await driver.unlink("/d/ours");
  await driver.rmdir("/d");
  await fails(driver.lstat("/d"), "ENOENT");
});

const markers = [
  { tool: "goofys, s3fs and rclone", key: "d/" },
  { tool: "Hadoop", key: "d_$folder$" },
];

test.each(markers)(
  "a marker of $tool is a directory, shown once, and rmdir removes it",
  async ({ key }) => {
    const core = await testCore(atOnce);
    const driver = driverOf(core);
    core.s3.putText(key, "");
    core.s3.putText("d/f", "x");
    core.s3.putText("e", "x");
    expect([...(await driver.readdir("/"))]).toEqual([
      ["d", FileType.directory],
      ["e", FileType.file],
    ]);
    expect([...(await driver.readdir("/d")).keys()]).toEqual(["f"]);
    await driver.unlink("/d/f");
    await core.core.drained();
    expect((await driver.readdir("/")).size).toBe(2);
    expect((await driver.readdir("/d")).size).toBe(0);
    await driver.rmdir("/d");
    await core.core.drained();
    expect(core.s3.bucket.objects.keys).toEqual(["e"]);
    expect([...(await driver.readdir("/")).keys()]).toEqual(["e"]);
  },
);

test.each(markers)(
  "a directory of nothing but the marker of $tool is found by name",
  async ({ key }) => {
    const core = await testCore(atOnce);
    const driver = driverOf(core);
    core.s3.putText(key, "");
    // the one kind costs no request of its own, the other is looked for where it was met
    await driver.readdir("/");
    expect((await driver.lstat("/d")).mode & FileType.mask).toBe(FileType.directory);
    await core.reopen();
    expect((await driverOf(core).lstat("/d")).mode & FileType.mask).toBe(FileType.directory);
    await fails(driverOf(core).lstat("/d_$folder$"), "ENOENT");
  },
);

test("an object that is called like a folder marker and has bytes is a file", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  core.s3.putText("d_$folder$", "bytes");
  expect([...(await driver.readdir("/"))]).toEqual([["d_$folder$", FileType.file]]);
  expect((await driver.lstat("/d_$folder$")).size).toBe(5);
});

test("names that are absent cost no third request where no folder marker was met", async () => {
  const core = await testCore(atOnce);
  await fails(driverOf(core).lstat("/none"), "ENOENT");
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1 });
});

test("renaming a directory takes its markers along, here and in the bucket", async () => {
  const core = await testCore({ ...atOnce, "directory-markers": "yes" });
  const driver = driverOf(core);
  core.s3.putText("d/", "");
  core.s3.putText("d/e_$folder$", "");
  core.s3.putText("d/f", "text");
  await driver.readdir("/d");
  await driver.mkdir("/d/g");
  await driver.rename("/d", "/x");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual(["x/", "x/e_$folder$", "x/f", "x/g/"]);
  expect([...(await driver.readdir("/x")).keys()]).toEqual(["e", "f", "g"]);
  for (const path of ["/x/e", "/x/g"]) await driver.rmdir(path);
  await driver.unlink("/x/f");
  await driver.rmdir("/x");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual([]);
});

test("a marker that waits for its upload is uploaded under the new name only", async () => {
  const core = await testCore({ ...atOnce, "directory-markers": "yes" });
  const driver = driverOf(core);
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await driver.mkdir("/d");
  await driver.mkdir("/d/e");
  await driver.rename("/d", "/x");
  core.s3.faults.clear();
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual(["x/", "x/e/"]);
});

test("renaming over an empty directory with a marker leaves one marker", async () => {
  const core = await testCore({ ...atOnce, "directory-markers": "yes" });
  const driver = driverOf(core);
  await driver.mkdir("/d");
  await driver.mkdir("/x");
  await writeFile(driver, "/d/f", "text");
  await core.core.drained();
  await driver.rename("/d", "/x");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual(["x/", "x/f"]);
  expect(objectText(core, "x/f")).toBe("text");
});

test("an object that a directory of this host hid is there at once when that goes", async () => {
  const core = await testCore();
  const driver = driverOf(core);
  for (const name of ["removed", "renamed"]) {
    await driver.mkdir(`/${name}`);
    core.s3.putText(name, "an object");
  }
  await core.core.fileSystem.refresh("/");
  await driver.rmdir("/removed");
  await driver.rename("/renamed", "/elsewhere");
  for (const name of ["removed", "renamed"]) {
    expect((await driver.lstat(`/${name}`)).mode & FileType.mask).toBe(FileType.file);
  }
});

test.each([
  { how: "by a listing", options: {}, pageKeys: 1000 },
  { how: "by pages of one key", options: {}, pageKeys: 1 },
  { how: "by a crawl", options: { sharing: "exclusive" }, pageKeys: 1000 },
  { how: "by a crawl with pages of one key", options: { sharing: "exclusive" }, pageKeys: 1 },
])("an object beside its folder marker is a file, learnt $how or looked up", async (found) => {
  const core = await testCore({ ...atOnce, ...found.options });
  const driver = driverOf(core);
  core.s3.settings.quirks = { pageKeys: found.pageKeys };
  core.s3.putText("x", "bytes");
  core.s3.putText("x_$folder$", "");
  await core.core.fileSystem.refresh("/");
  expect([...(await driver.readdir("/"))]).toEqual([["x", FileType.file]]);
  expect((await driver.lstat("/x")).size).toBe(5);
});

test("keys below count more than an object and its folder marker", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  for (const key of ["x", "x/y"]) core.s3.putText(key, "bytes");
  core.s3.putText("x_$folder$", "");
  expect([...(await driver.readdir("/"))]).toEqual([["x", FileType.directory]]);
  expect((await driver.lstat("/x")).mode & FileType.mask).toBe(FileType.directory);
});
