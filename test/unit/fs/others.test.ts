/* oxlint-disable vitest/expect-expect -- fails() expects */
// What other hosts do to the bucket is seen: at once with a TTL of 0, else when the TTL is over.
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import { fails, makeFile, readFile, writeFile } from "../../posix/suite/context.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import type { TestCore } from "../../support/core.ts";
import { countsOf, driverOf, testCore } from "./core-fixture.ts";

const atOnce = { "stat-cache-ttl": "0", "negative-ttl": "0" };

async function knowing(core: TestCore, ...keys: string[]): Promise<PosixDriver> {
  const driver = driverOf(core);
  for (const key of keys) core.s3.putText(key, key);
  for (const key of keys) await driver.lstat(`/${key}`);
  return driver;
}

async function typeOf(driver: PosixDriver, path: string): Promise<number> {
  return (await driver.lstat(path)).mode & FileType.mask;
}

test("a directory that became a file is one, for what is made below it too", async () => {
  const core = await testCore(atOnce);
  const driver = await knowing(core, "a/b/c");
  core.s3.bucket.delete("a/b/c");
  core.s3.putText("a/b", "a file");
  await fails(makeFile(driver, "/a/b/x"), "ENOTDIR");
  await fails(driver.mkdir("/a/b/d"), "ENOTDIR");
  await fails(driver.lstat("/a/b/c"), "ENOTDIR");
  expect(await typeOf(driver, "/a/b")).toBe(FileType.file);
  expect(await readFile(driver, "/a/b")).toBe("a file");
});

test("a directory that is gone is, for what is made below it too", async () => {
  const core = await testCore(atOnce);
  const driver = await knowing(core, "a/b/c");
  core.s3.bucket.delete("a/b/c");
  await fails(driver.mkdir("/a/b/d"), "ENOENT");
  await fails(makeFile(driver, "/a/b/x"), "ENOENT");
  await fails(driver.lstat("/a"), "ENOENT");
});

test("a file that became a directory is one", async () => {
  const core = await testCore(atOnce);
  const driver = await knowing(core, "a");
  core.s3.bucket.delete("a");
  core.s3.putText("a/b/c", "below");
  expect(await readFile(driver, "/a/b/c")).toBe("below");
  expect(await typeOf(driver, "/a")).toBe(FileType.directory);
  await writeFile(driver, "/a/b/d", "new");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys).toEqual(["a/b/c", "a/b/d"]);
});

test("what was known below a directory that became a file is forgotten", async () => {
  const core = await testCore(atOnce);
  const driver = await knowing(core, "a/b/c");
  await driver.utimens("/a/b/c", 1_000_000_000n, 1_000_000_000n);
  core.s3.bucket.delete("a/b/c");
  core.s3.putText("a", "file");
  expect(await typeOf(driver, "/a")).toBe(FileType.file);
  core.s3.bucket.delete("a");
  core.s3.putText("a/b/c", "anew");
  const { mtime } = await driver.lstat("/a/b/c");
  expect(mtime > 1_000_000_000_000_000_000n).toBe(true);
});

test("a directory that was made here stays one whatever others do", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  await driver.mkdir("/mine");
  core.s3.putText("mine", "an object of that name");
  await makeFile(driver, "/mine/f");
  expect([...(await driver.readdir("/mine")).keys()]).toEqual(["f"]);
});

test("a change of another host is seen once the TTL is over, and costs nothing before", async () => {
  const core = await testCore({ "stat-cache-ttl": "400ms", "negative-ttl": "400ms" });
  const driver = await knowing(core, "d/old", "d/gone");
  await driver.readdir("/d");
  core.s3.putText("d/old", "replaced by other bytes");
  core.s3.putText("d/new", "new");
  core.s3.bucket.delete("d/gone");
  core.s3.reset();
  await driver.readdir("/d");
  await driver.lstat("/d/old");
  await fails(driver.lstat("/d/new"), "ENOENT");
  expect(core.s3.count()).toBe(0);
  const names = async (): Promise<string[]> => [...(await driver.readdir("/d")).keys()];
  await waitUntil("the TTL is over", async () => (await names()).includes("new"));
  expect(await names()).toEqual(["new", "old"]);
  expect(await readFile(driver, "/d/old")).toBe("replaced by other bytes");
});

test("a cold Synapse download costs three requests, an unknown id two", async () => {
  const core = await testCore();
  for (let i = 0; i < 256; i += 1) {
    const shard = `local_content/${i.toString(16).padStart(2, "0")}`;
    core.s3.putSynthetic(`${shard}/bb/media`, 200, 100_000);
  }
  const driver = driverOf(core);
  await driver.readdir("/");
  await driver.lstat("/local_content");
  await driver.readdir("/local_content");
  core.s3.reset();
  // isfile, open, read, as Synapse goes about it
  expect(await typeOf(driver, "/local_content/7f/bb/media77")).toBe(FileType.file);
  expect((await readFile(driver, "/local_content/7f/bb/media77")).length).toBe(100_000);
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1, GET: 1 });
  core.s3.reset();
  await fails(driver.lstat("/local_content/7f/bb/none"), "ENOENT");
  expect(core.s3.count()).toBe(0);
  await fails(driver.lstat("/local_content/8f/cc/none"), "ENOENT");
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1 });
});

test("with a TTL of 0 no question is joined that began before, by its name or by listing", async () => {
  const core = await testCore(atOnce);
  const driver = driverOf(core);
  const slow = { kind: "slowBody", bytesPerSecond: 200 } as const;
  const asked = async (): Promise<void> => {
    await waitUntil("S3 has looked", () => (core.s3.counts.LIST ?? 0) === 1);
    core.s3.putText("new", "new");
    core.s3.reset();
  };
  core.s3.faults.add({ effect: slow, verbs: ["LIST"], times: 1 });
  core.s3.reset();
  const before = driver.lstat("/new").catch((error: unknown) => error);
  await asked();
  expect((await driver.lstat("/new")).size).toBe(3);
  await before;

  core.s3.bucket.delete("new");
  core.s3.faults.add({ effect: slow, verbs: ["LIST"], times: 1 });
  const names = driver.readdir("/");
  await asked();
  expect([...(await driver.readdir("/")).keys()]).toEqual(["new"]);
  await names;
});
