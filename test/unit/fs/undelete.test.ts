// pailfs undelete: what comes back, with what, and what does not.
import { expect, test } from "vitest";
import { readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import {
  context,
  countsOf,
  driverOf,
  objectText,
  removeTree,
  testCore,
  tree,
  untilUploadFails,
} from "./core-fixture.ts";

const delay = { "delete-delay": "1h" };

async function filled(options: Record<string, string> = {}): Promise<TestCore> {
  const core = await testCore({ ...delay, ...options });
  for (const key of ["a", "d/1", "d/e/2", "d/e/3", "kept/4"])
    core.s3.putText(key, `text of ${key}`);
  return core;
}

function undelete(core: TestCore, ...paths: string[]) {
  return core.core.fileSystem.removals.undelete(paths, 0);
}

test.each([{ sharing: "shared" }, { sharing: "exclusive" }])(
  "undelete brings files and their directories back, with $sharing names",
  async (options) => {
    const core = await filled(options);
    await core.core.fileSystem.refresh("/");
    const before = await tree(driverOf(core));
    await removeTree(driverOf(core), "/d");
    await driverOf(core).unlink("/a");
    expect(await tree(driverOf(core))).toEqual(["/kept/", "/kept/4"]);
    const changed: string[] = [];
    core.core.fileSystem.onChange(({ path }) => changed.push(path));
    expect(await undelete(core, "/")).toEqual({ restored: 4, refused: [], refusedCount: 0 });
    expect(changed.sort()).toEqual(["/a", "/d", "/d/1", "/d/e", "/d/e/2", "/d/e/3"]);
    expect(await tree(driverOf(core))).toEqual(before);
    expect(await readFile(driverOf(core), "/d/e/2")).toBe("text of d/e/2");
    expect(core.core.status().queue.delayed).toEqual({ count: 0, bytes: 0 });
    await core.reopen({ lostIndex: true });
    expect(await tree(driverOf(core))).toEqual(before);
    await core.core.drained();
    expect(countsOf(core)["DELETE"]).toBeUndefined();
  },
);

test("it brings back one path with what is below it, and lists the others", async () => {
  const core = await filled();
  await removeTree(driverOf(core), "/d");
  await driverOf(core).unlink("/a");
  const { removals } = core.core.fileSystem;
  expect(removals.list("/", "", 10).map(({ path, bytes }) => [path, bytes])).toEqual([
    ["/a", 9],
    ["/d/1", 11],
    ["/d/e/2", 13],
    ["/d/e/3", 13],
  ]);
  expect(removals.list("/", "/d/1", 1).map(({ path }) => path)).toEqual(["/d/e/2"]);
  expect(await undelete(core, "/d/e")).toMatchObject({ restored: 2, refusedCount: 0 });
  expect(await tree(driverOf(core))).toEqual([
    "/d/",
    "/d/e/",
    "/d/e/2",
    "/d/e/3",
    "/kept/",
    "/kept/4",
  ]);
  expect(removals.list("/d", "", 10).map(({ path }) => path)).toEqual(["/d/1"]);
});

test("it works while S3 is down, with attributes, also after a restart", async () => {
  const core = await filled({ "s3-deadline": "1s" });
  const driver = driverOf(core);
  await tree(driver);
  await driver.chmod("/d/1", 0o640);
  await core.core.fileSystem.setxattr("/d/1", "user.x", Buffer.from("y"), 0, context);
  const before = await driver.lstat("/d/1");
  await driver.unlink("/d/1");
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  await core.reopen();
  expect(await undelete(core, "/d/1")).toMatchObject({ restored: 1 });
  await core.reopen();
  const after = await driverOf(core).lstat("/d/1");
  expect(after).toMatchObject({ mode: before.mode, size: 11, mtime: before.mtime });
  expect(after.ino).not.toBe(before.ino);
  const value = await core.core.fileSystem.getxattr("/d/1", "user.x", context);
  expect(Buffer.from(value).toString()).toBe("y");
});

test("names that were taken are refused, and the others come back", async () => {
  const core = await filled();
  const driver = driverOf(core);
  for (const path of ["/a", "/d/1", "/d/e/2"]) await driver.unlink(path);
  await driver.mkdir("/a");
  await removeTree(driver, "/d/e");
  await writeFile(driver, "/d/e", "a file where a directory was");
  const report = await undelete(core, "/");
  expect(report.restored).toBe(1);
  expect(report.refused).toEqual([
    { path: "/a", reason: "a new directory has its name: rename that first" },
    { path: "/d/e/2", reason: '"/d/e" is no directory any more: rename it first' },
    { path: "/d/e/3", reason: '"/d/e" is no directory any more: rename it first' },
  ]);
  expect(await readFile(driver, "/d/1")).toBe("text of d/1");
  await driver.rmdir("/a");
  await driver.lstat("/kept/4");
  expect(await undelete(core, "/a", "/nothing", "/kept/4")).toEqual({
    restored: 1,
    refusedCount: 2,
    refused: [
      { path: "/nothing", reason: "no delayed delete is of that name" },
      { path: "/kept/4", reason: "the name is there, and nothing below it was removed" },
    ],
  });
});

test("only what was removed since then comes back", async () => {
  const core = await filled();
  await driverOf(core).unlink("/a");
  const [removed] = core.core.fileSystem.removals.list("/", "", 1);
  const later = (removed?.removedMs ?? 0) + 1;
  expect(await core.core.fileSystem.removals.undelete(["/"], later)).toMatchObject({ restored: 0 });
  expect(await undelete(core, "/")).toMatchObject({ restored: 1 });
});

test("a name that was renamed and removed before it was copied comes back with its bytes", async () => {
  const core = await filled({ "s3-deadline": "1s" });
  const driver = driverOf(core);
  await driver.lstat("/a");
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 503 } });
  await driver.rename("/a", "/b");
  await driver.unlink("/b");
  expect(await undelete(core, "/b")).toMatchObject({ restored: 1 });
  expect(await readFile(driver, "/b")).toBe("text of a");
  core.s3.faults.clear();
  await core.core.drained();
  expect(objectText(core, "b")).toBe("text of a");
  expect(objectText(core, "a")).toBeUndefined();
  expect(await readFile(driver, "/b")).toBe("text of a");
});

test("an overwrite that was taken back by the unlink is not brought back, what it replaced is", async () => {
  const core = await filled({ "publish-delay": "1h" });
  const driver = driverOf(core);
  await writeFile(driver, "/a", "never uploaded");
  await driver.unlink("/a");
  expect(await undelete(core, "/a")).toMatchObject({ restored: 1 });
  expect(await readFile(driver, "/a")).toBe("text of a");
});

test("what S3 has to be asked for is refused while it does not tell", async () => {
  const core = await testCore({ ...delay, "s3-deadline": "1s" });
  const driver = driverOf(core);
  core.s3.faults.add({ effect: { kind: "status", status: 503 }, verbs: ["PUT", "HEAD"] });
  await writeFile(driver, "/f", "text").catch(() => undefined);
  const isWritten = await driver.lstat("/f").then(
    () => true,
    () => false,
  );
  if (!isWritten) {
    core.s3.faults.clear();
    core.s3.faults.add({ effect: { kind: "status", status: 503 }, verbs: ["PUT"] });
    await writeFile(driver, "/f", "text");
  }
  await untilUploadFails(core);
  await driver.unlink("/f");
  expect(core.core.status().queue.delayed.count).toBe(1);
  const report = await undelete(core, "/f");
  expect(report).toMatchObject({ restored: 0, refusedCount: 1 });
  await expect(driver.lstat("/f")).rejects.toMatchObject({ code: "ENOENT" });
});

test("flush --deletes ends the delay of what it names, and waits until the objects are gone", async () => {
  const core = await filled();
  await removeTree(driverOf(core), "/d");
  await driverOf(core).unlink("/a");
  expect(await core.core.fileSystem.removals.expire(["/d/e", "/a"])).toBe(3);
  expect([...core.s3.bucket.objects.keys].sort()).toEqual(["d/1", "kept/4"]);
  expect(core.core.status().queue.delayed).toMatchObject({ count: 1 });
  expect(await core.core.fileSystem.removals.expire(["/"])).toBe(1);
  expect([...core.s3.bucket.objects.keys]).toEqual(["kept/4"]);
});

test("with metadata=object symlinks and changed attributes come back too", async () => {
  const core = await filled({ metadata: "object" });
  const driver = driverOf(core);
  await driver.symlink("to somewhere", "/link");
  await core.core.drained();
  await driver.chmod("/a", 0o600);
  for (const path of ["/link", "/a"]) await driver.unlink(path);
  expect(await undelete(core, "/")).toMatchObject({ restored: 2 });
  expect(await driver.readlink("/link")).toBe("to somewhere");
  expect((await driver.lstat("/a")).mode & 0o777).toBe(0o600);
  await core.core.drained();
  expect(core.s3.bucket.objects.get("a")?.headers["x-amz-meta-mode"]).toBe(String(0o100600));
});
