// --delete-delay: a removed name is hidden wherever S3 still shows its object, and costs nobody anything.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { countsOf, driverOf, objectText, removeTree, testCore, tree } from "./core-fixture.ts";

const delay = { "delete-delay": "1h" };
/** What is known is asked again each time. */
const doubtful = { ...delay, "stat-cache-ttl": "0", "negative-ttl": "0" };

const absent = { code: "ENOENT" };
const delayed = (core: TestCore): number => core.core.status().queue.delayed.count;

const keys = ["a", "d/1", "d/2", "d/e/3", "gone/1", "gone/sub/2", "gone/sub/3"];

async function filled(options: Record<string, string>): Promise<TestCore> {
  const core = await testCore(options);
  for (const key of keys) core.s3.putText(key, `text of ${key}`);
  return core;
}

/** Everything but what was removed by `removeSome`. */
const left = ["/d/", "/d/2", "/d/e/", "/d/e/3"];

async function removeSome(driver: PosixDriver): Promise<void> {
  await driver.unlink("/a");
  await driver.unlink("/d/1");
  await removeTree(driver, "/gone");
}

async function expectHidden(core: TestCore): Promise<void> {
  const driver = driverOf(core);
  for (const path of ["/a", "/d/1", "/gone", "/gone/1", "/gone/sub", "/gone/sub/2"]) {
    await expect(driver.lstat(path), path).rejects.toMatchObject(absent);
  }
  expect(await tree(driver)).toEqual(left);
  await expect(driver.lstat("/gone/sub/3")).rejects.toMatchObject(absent);
  expect(await readFile(driver, "/d/2")).toBe("text of d/2");
  expect([...core.s3.bucket.objects.keys].sort()).toEqual([...keys].sort());
  expect(delayed(core)).toBe(5);
}

test("removed names are hidden, their objects stay, and nobody waits for their deletes", async () => {
  const core = await filled(doubtful);
  await removeSome(driverOf(core));
  await expectHidden(core);
  await core.core.drained();
  expect(countsOf(core)["DELETE"]).toBeUndefined();
  const { length, delayed: waiting } = core.core.status().queue;
  expect(length).toBe(0);
  expect(waiting).toMatchObject({ count: 5, bytes: 70 });
  expect(waiting.dueMs).toBeGreaterThan(Date.now() + 3_500_000);
  await core.core.fileSystem.refresh("/");
  await expectHidden(core);
});

test.each(["a restart", "a restart without the index"])("they are hidden after %s", async (how) => {
  const core = await filled(doubtful);
  await removeSome(driverOf(core));
  for (let i = 0; i < 2; i += 1) {
    await core.reopen({ lostIndex: how !== "a restart", emptyCache: true });
    await expectHidden(core);
  }
});

test("they are hidden with sharing=exclusive, through crawls and restarts", async () => {
  const core = await filled({ ...doubtful, sharing: "exclusive" });
  await core.core.fileSystem.refresh("/");
  await removeSome(driverOf(core));
  await core.core.fileSystem.refresh("/");
  await expectHidden(core);
  await core.reopen({ lostIndex: true });
  await core.core.fileSystem.refresh("/");
  await expectHidden(core);
});

test("they are hidden while S3 is down, after a restart too", async () => {
  const core = await filled({ "delete-delay": "1h", "s3-deadline": "1s" });
  await tree(driverOf(core));
  await removeSome(driverOf(core));
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  await expect(driverOf(core).lstat("/d/1")).rejects.toMatchObject(absent);
  await core.reopen();
  expect(await tree(driverOf(core))).toEqual(left);
  await expect(driverOf(core).lstat("/d/1")).rejects.toMatchObject(absent);
});

test("a name that is hidden is absent for negative_ttl without a request", async () => {
  const core = await filled({ ...delay, "negative-ttl": "1h" });
  await removeSome(driverOf(core));
  await core.reopen({ lostIndex: true });
  for (const path of ["/a", "/gone"]) {
    await expect(driverOf(core).lstat(path)).rejects.toMatchObject(absent);
    core.s3.reset();
    await expect(driverOf(core).lstat(path)).rejects.toMatchObject(absent);
    expect(countsOf(core)).toEqual({});
  }
});

test("a directory is there whose first page of keys is hidden, and one of only hidden keys is not", async () => {
  const core = await testCore(delay);
  core.s3.settings.quirks = { pageKeys: 10 };
  const names = Array.from({ length: 25 }, (_, i) => `n${String(i).padStart(2, "0")}`);
  for (const name of names) core.s3.putText(`some/${name}`, "x");
  for (const name of names) core.s3.putText(`all/${name}`, "x");
  const driver = driverOf(core);
  await tree(driver);
  await Promise.all(names.slice(0, 22).map((name) => driver.unlink(`/some/${name}`)));
  await removeTree(driver, "/all");
  expect(await tree(driver)).toEqual(["/some/", ...names.slice(22).map((name) => `/some/${name}`)]);
  await core.reopen({ lostIndex: true });
  await expect(driverOf(core).lstat("/all")).rejects.toMatchObject(absent);
  expect((await driverOf(core).lstat("/some")).mode & FileType.mask).toBe(FileType.directory);
  await core.reopen({ lostIndex: true });
  expect([...(await driverOf(core).readdir("/")).keys()]).toEqual(["some"]);
});

test("a directory that is known costs no look behind its hidden keys", async () => {
  const core = await testCore(doubtful);
  core.s3.settings.quirks = { pageKeys: 10 };
  for (let i = 0; i < 25; i += 1) core.s3.putText(`d/s/${i}`, "x");
  const driver = driverOf(core);
  for (const [name] of await driver.readdir("/d/s")) await driver.unlink(`/d/s/${name}`);
  core.s3.reset();
  await driver.lstat("/d");
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1 });
});

test("the object goes when the delay is over, once its version was looked at", async () => {
  const core = await testCore({ "delete-delay": "300ms" });
  core.s3.putText("a", "text");
  await driverOf(core).unlink("/a");
  expect(objectText(core, "a")).toBe("text");
  core.s3.reset();
  await waitUntil("the object is gone", () => objectText(core, "a") === undefined);
  await waitUntil("its record is gone", () => core.core.status().queue.length === 0);
  expect(countsOf(core)).toEqual({ HEAD: 1, DELETE: 1 });
  expect(core.core.status().queue.delayed).toEqual({ count: 0, bytes: 0 });
});

test("a directory is listed while deletes in it are due, after the index was lost", async () => {
  const core = await testCore({ "delete-delay": "1s" });
  for (const key of ["d/1", "d/2"]) core.s3.putText(key, "x");
  await driverOf(core).unlink("/d/1");
  await core.reopen({ lostIndex: true });
  core.s3.reset();
  core.s3.settings.latencyMs = 3000;
  const names = driverOf(core).readdir("/");
  await waitUntil("the listing is under way", () => countsOf(core)["LIST"] === 1);
  core.s3.settings.latencyMs = 0;
  await waitUntil("the object is gone", () => objectText(core, "d/1") === undefined);
  expect([...(await names).keys()]).toEqual(["d"]);
});

test("the delay goes on over a restart, and is that of the unlink", async () => {
  const core = await testCore({ "delete-delay": "1500ms" });
  core.s3.putText("a", "text");
  await driverOf(core).unlink("/a");
  await core.reopen({ options: {} });
  expect(objectText(core, "a")).toBe("text");
  await expect(driverOf(core).lstat("/a")).rejects.toMatchObject(absent);
  await waitUntil("the object is gone", () => objectText(core, "a") === undefined);
});

test("a new file under the name takes the delete back, for good", async () => {
  const core = await testCore({ "delete-delay": "400ms" });
  core.s3.putText("a", "old");
  core.s3.putText("b", "old");
  core.s3.putText("c", "renamed");
  const driver = driverOf(core);
  for (const path of ["/a", "/b"]) await driver.unlink(path);
  await writeFile(driver, "/a", "new");
  await driver.rename("/c", "/b");
  expect(delayed(core)).toBe(0);
  await core.core.drained();
  await sleep(600);
  await core.core.drained();
  expect([objectText(core, "a"), objectText(core, "b")]).toEqual(["new", "renamed"]);
  expect([await readFile(driver, "/a"), await readFile(driver, "/b")]).toEqual(["new", "renamed"]);
});

test("a file that takes the name and goes before its upload leaves the old object delayed", async () => {
  const core = await testCore({ ...delay, "publish-delay": "1h" });
  core.s3.putText("a", "old");
  const driver = driverOf(core);
  await driver.unlink("/a");
  const { dueMs } = core.core.status().queue.delayed;
  await writeFile(driver, "/a", "new");
  expect(delayed(core)).toBe(0);
  await driver.unlink("/a");
  expect(core.core.status().queue.delayed).toMatchObject({ count: 1, dueMs });
  await core.core.drained();
  expect(objectText(core, "a")).toBe("old");
  await expect(driver.lstat("/a")).rejects.toMatchObject(absent);
});

test("what never reached the bucket is taken back without a request, as ever", async () => {
  const core = await testCore({ ...delay, "publish-delay": "1h" });
  await writeFile(driverOf(core), "/f", "text");
  await driverOf(core).unlink("/f");
  await core.core.drained();
  expect(delayed(core)).toBe(0);
  expect(countsOf(core)["PUT"]).toBeUndefined();
});

test("an object that somebody else puts under a removed name is seen, and outlives the delay", async () => {
  const core = await testCore({ ...doubtful, "delete-delay": "1s" });
  core.s3.putText("a", "ours");
  const driver = driverOf(core);
  await driver.unlink("/a");
  await expect(driver.lstat("/a")).rejects.toMatchObject(absent);
  core.s3.putText("a", "of somebody else");
  expect(await readFile(driver, "/a")).toBe("of somebody else");
  await waitUntil("the delay is over", () => delayed(core) === 0);
  await core.core.drained();
  expect(await readFile(driver, "/a")).toBe("of somebody else");
});

test("the source of a rename and markers go at once", async () => {
  const core = await testCore({ ...delay, "directory-markers": "yes" });
  core.s3.putText("a", "text");
  const driver = driverOf(core);
  await driver.rename("/a", "/b");
  await driver.mkdir("/dir");
  await core.core.drained();
  await driver.rmdir("/dir");
  await core.core.drained();
  expect([...core.s3.bucket.objects.keys]).toEqual(["b"]);
  expect(delayed(core)).toBe(0);
});

test("a file that is renamed and removed before it was copied is copied, and then delayed", async () => {
  const core = await testCore({ ...delay, "s3-deadline": "1s" });
  core.s3.putText("a", "text");
  const driver = driverOf(core);
  await driver.lstat("/a");
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 503 } });
  await driver.rename("/a", "/b");
  await driver.unlink("/b");
  core.s3.faults.clear();
  await core.core.drained();
  expect([...core.s3.bucket.objects.keys]).toEqual(["b"]);
  expect(delayed(core)).toBe(1);
  for (const path of ["/a", "/b"]) await expect(driver.lstat(path)).rejects.toMatchObject(absent);
});

test("a file that is removed while it is uploaded stays hidden, also after a crash", async () => {
  const core = await testCore({ ...doubtful, "s3-deadline": "1s" });
  const driver = driverOf(core);
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await writeFile(driver, "/f", "text");
  await waitUntil("an upload failed", () => core.core.status().queue.lastError !== undefined);
  await driver.unlink("/f");
  await core.reopen({ lostIndex: true });
  await expect(driverOf(core).lstat("/f")).rejects.toMatchObject(absent);
});
