// Tenet 5, for --sharing=exclusive: after one crawl names cost no request; what others did is found by the next.
import { expect, test } from "vitest";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { makeFile, readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { context, countsOf, driverOf, objectText, testCore, tree } from "./core-fixture.ts";

const exclusive = { sharing: "exclusive" };

async function untilComplete(core: TestCore): Promise<void> {
  await waitUntil("the crawl is done", () => {
    const coverage = core.core.fileSystem.coverage();
    return coverage?.complete === true && coverage.crawl === undefined;
  });
}

/** A core whose crawl of some keys is done; requests are counted from here on. */
async function crawled(
  keys: readonly string[],
  options: Record<string, string> = {},
): Promise<{ core: TestCore; driver: PosixDriver }> {
  const core = await testCore({ ...exclusive, "stat-cache-ttl": "0", ...options });
  await untilComplete(core);
  for (const key of keys) core.s3.putText(key, `text of ${key}`);
  await core.core.fileSystem.refresh("/");
  core.s3.reset();
  return { core, driver: driverOf(core) };
}

const synapse = [
  "local_content/AA/BB/one",
  "local_content/AA/BC/two",
  "local_content/AB/BB/three",
  "local_thumbnails/AA/BB/one/32-32-image-png-crop",
  "marked/",
  "top",
];

test("names, misses, listings, mkdir, rmdir and rename checks cost no request", async () => {
  const { core, driver } = await crawled(synapse);
  expect((await driver.lstat("/local_content/AA/BB/one")).size).toBe(31);
  for (const path of ["/nothing", "/local_content/AA/BB/x", "/local_content/ZZ/x", "/top2"]) {
    await expect(driver.lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
  }
  expect(await tree(driver)).toEqual([
    "/local_content/",
    "/local_content/AA/",
    "/local_content/AA/BB/",
    "/local_content/AA/BB/one",
    "/local_content/AA/BC/",
    "/local_content/AA/BC/two",
    "/local_content/AB/",
    "/local_content/AB/BB/",
    "/local_content/AB/BB/three",
    "/local_thumbnails/",
    "/local_thumbnails/AA/",
    "/local_thumbnails/AA/BB/",
    "/local_thumbnails/AA/BB/one/",
    "/local_thumbnails/AA/BB/one/32-32-image-png-crop",
    "/marked/",
    "/top",
  ]);
  await driver.mkdir("/new", 0o755);
  await driver.rmdir("/new");
  await expect(driver.rmdir("/local_content")).rejects.toMatchObject({ code: "ENOTEMPTY" });
  expect(countsOf(core)).toEqual({});
  await driver.rename("/local_content/AB", "/local_content/AC");
  await core.core.drained();
  expect(countsOf(core)).toEqual({ COPY: 1, DELETE: 1 });
});

test("it stays so after a restart, with S3 down", async () => {
  const { core, driver } = await crawled(synapse);
  await writeFile(driver, "/local_content/ZZ", "mine");
  await core.core.drained();
  await core.s3.stopListening();
  await core.reopen();
  const again = driverOf(core);
  expect((await tree(again)).length).toBe(17);
  await expect(again.lstat("/local_content/AA/x")).rejects.toMatchObject({ code: "ENOENT" });
  await expect(again.rmdir("/local_content")).rejects.toMatchObject({ code: "ENOTEMPTY" });
});

test("a crawl costs one LIST per 1,000 keys, and one when there are fewer", async () => {
  const { core } = await crawled(synapse);
  await core.core.fileSystem.refresh("/");
  expect(countsOf(core)).toEqual({ LIST: 1 });
  core.s3.putSynthetic("many/", 30_000, 1);
  core.s3.reset();
  await core.core.fileSystem.refresh("/");
  expect(core.s3.count("LIST")).toBeGreaterThanOrEqual(31);
  expect(core.s3.count("LIST")).toBeLessThanOrEqual(40);
  expect(core.s3.count()).toBe(core.s3.count("LIST"));
  expect((await driverOf(core).readdir("/many")).size).toBe(30_000);
});

test("refresh finds what others did, and tells the kernel of names that stand for something else", async () => {
  const { core, driver } = await crawled([
    "a/b",
    "a-b",
    "a.txt",
    "d/e/f",
    "gone",
    "same",
    "x",
    "y/z",
  ]);
  const changed: string[] = [];
  core.core.fileSystem.onChange(({ path }) => changed.push(path));
  const { ino } = await driver.lstat("/same");
  for (const key of ["a-b", "d/e/f", "gone", "x", "y/z"]) core.s3.bucket.delete(key);
  core.s3.putText("x/now/a/directory", "1");
  core.s3.putText("y", "a file");
  core.s3.putText("a/b", "longer than it was before");
  core.s3.putText("new/n", "1");
  await core.core.fileSystem.refresh("/");
  expect(await tree(driver)).toEqual([
    "/a.txt",
    "/a/",
    "/a/b",
    "/new/",
    "/new/n",
    "/same",
    "/x/",
    "/x/now/",
    "/x/now/a/",
    "/x/now/a/directory",
    "/y",
  ]);
  expect(await readFile(driver, "/a/b")).toBe("longer than it was before");
  expect((await driver.lstat("/same")).ino).toBe(ino);
  expect(new Set(changed)).toEqual(
    new Set(["/a-b", "/a/b", "/d", "/d/e", "/d/e/f", "/gone", "/x", "/y", "/y/z"]),
  );
  expect(countsOf(core)).toEqual({ LIST: 1, GET: 1 });
});

test("what waits for its upload wins over the crawl, on its own name only", async () => {
  const { core, driver } = await crawled(["d/mine", "d/theirs", "e/f"], { "s3-deadline": "1s" });
  core.s3.faults.add({ verbs: ["PUT", "DELETE"], effect: { kind: "status", status: 503 } });
  await writeFile(driver, "/d/mine", "mine");
  await makeFile(driver, "/d/created");
  await driver.unlink("/e/f");
  core.s3.putText("d/mine", "theirs, longer");
  core.s3.putText("d/theirs", "theirs, longer");
  core.s3.bucket.delete("d/theirs2");
  await core.core.fileSystem.refresh("/");
  expect(await readFile(driver, "/d/mine")).toBe("mine");
  expect(await readFile(driver, "/d/theirs")).toBe("theirs, longer");
  expect(await tree(driver)).toEqual(["/d/", "/d/created", "/d/mine", "/d/theirs", "/e/"]);
  core.s3.faults.clear();
  await core.core.drained();
  expect(objectText(core, "d/mine")).toBe("mine");
  expect(core.s3.bucket.objects.get("e/f")).toBeUndefined();
});

test("names that are written or removed during a crawl are not undone by its older pages", async () => {
  const { core, driver } = await crawled(["d/old", "d/removed"]);
  core.s3.settings.latencyMs = 100;
  const crawl = core.core.fileSystem.refresh("/");
  await waitUntil("the crawl has begun", () => core.s3.count("LIST") === 1);
  core.s3.settings.latencyMs = 0;
  await writeFile(driver, "/d/new", "new");
  await driver.unlink("/d/removed");
  await core.core.drained();
  await crawl;
  expect(await tree(driver)).toEqual(["/d/", "/d/new", "/d/old"]);
  await core.core.fileSystem.refresh("/");
  expect(await tree(driver)).toEqual(["/d/", "/d/new", "/d/old"]);
});

test("an object that another one replaced makes its directory unknown, until the next crawl", async () => {
  const { core, driver } = await crawled(["d/f", "d/g", "e/f"]);
  core.s3.putText("d/f", "another text of it");
  core.s3.putText("d/h", "h");
  core.s3.putText("e/h", "h");
  await expect(readFile(driver, "/d/f")).rejects.toMatchObject({ code: "ESTALE" });
  expect(core.core.fileSystem.coverage()?.unknownDirectories).toBe(1);
  expect(await readFile(driver, "/d/f")).toBe("another text of it");
  expect(await readFile(driver, "/d/h")).toBe("h");
  // nothing was said of this one
  await expect(driver.lstat("/e/h")).rejects.toMatchObject({ code: "ENOENT" });
  await core.core.fileSystem.refresh("/");
  expect(core.core.fileSystem.coverage()?.unknownDirectories).toBe(0);
  core.s3.reset();
  expect(await tree(driver)).toEqual(["/d/", "/d/f", "/d/g", "/d/h", "/e/", "/e/f", "/e/h"]);
  expect(countsOf(core)).toEqual({});
});

test("a directory that came up in an unknown one is unknown as well, over a restart too", async () => {
  const { core, driver } = await crawled(["d/f"]);
  core.s3.bucket.delete("d/f");
  core.s3.putSynthetic("d/sub/n", 1500, 1);
  await expect(readFile(driver, "/d/f")).rejects.toMatchObject({ code: "ESTALE" });
  expect([...(await driver.readdir("/d")).keys()]).toEqual(["sub"]);
  await core.reopen();
  const again = driverOf(core);
  expect((await again.lstat("/d/sub/n1499")).size).toBe(1);
  expect((await again.readdir("/d/sub")).size).toBe(1500);
});

test("mounted as shared, nothing is taken for complete any more", async () => {
  const { core } = await crawled(["a"]);
  await core.reopen({ options: { sharing: "shared" } });
  expect(core.core.fileSystem.coverage()).toBeUndefined();
  await core.reopen({ options: exclusive });
  core.s3.settings.latencyMs = 200;
  core.s3.reset();
  core.s3.putText("b", "text");
  await core.core.fileSystem.lookup("/b", context);
  expect(core.s3.count("HEAD")).toBe(1);
});

test("attributes kept on this host survive crawls, and go with the object", async () => {
  const { core, driver } = await crawled(["a/f", "b/f"]);
  for (const path of ["/a", "/a/f", "/b", "/b/f"]) await driver.chmod(path, 0o700);
  core.s3.bucket.delete("b/f");
  await core.core.fileSystem.refresh("/");
  core.s3.putText("b/f", "another");
  await core.core.fileSystem.refresh("/");
  const modes = await Promise.all(
    ["/a", "/a/f", "/b", "/b/f"].map(async (path) => (await driver.lstat(path)).mode & 0o777),
  );
  expect(modes).toEqual([0o700, 0o700, 0o755, 0o644]);
});

test.each(["walk", "utf16", "hashed"] as const)(
  "a store that lists in an order of its own (%s) is crawled in one go",
  async (listOrder) => {
    const { core, driver } = await crawled(["keep"]);
    core.s3.settings.quirks = { listOrder };
    for (const key of ["a/x", "a-b", "a-b2/c", "\u{ff5e}", "\u{1f600}", "z"])
      core.s3.putText(key, key);
    core.s3.bucket.delete("keep");
    await core.core.fileSystem.refresh("/");
    expect(await tree(driver)).toEqual(
      ["/a/", "/a/x", "/a-b", "/a-b2/", "/a-b2/c", "/\u{ff5e}", "/\u{1f600}", "/z"].sort(),
    );
    expect(core.core.fileSystem.coverage()).toMatchObject({ complete: true });
  },
);

test("a crawl that S3 breaks off goes on where it was, after a restart", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  core.s3.putSynthetic("many/", 20_000, 1);
  core.s3.settings.latencyMs = 20;
  await core.reopen({ options: { ...exclusive, "s3-deadline": "1s" } });
  await waitUntil("some is listed", () => {
    return (core.core.fileSystem.coverage()?.crawl?.listed ?? 0) >= 8000;
  });
  core.s3.faults.add({ verbs: ["LIST"], effect: { kind: "status", status: 503 } });
  await waitUntil("the crawl fails", () => {
    return core.core.fileSystem.coverage()?.crawl?.failure !== undefined;
  });
  // behaves as shared meanwhile: neither absent nor there
  await expect(driverOf(core).lstat("/unknown")).rejects.toMatchObject({ code: "EIO" });
  const listed = core.core.fileSystem.coverage()?.crawl?.listed ?? 0;
  core.s3.faults.clear();
  core.s3.reset();
  await core.reopen({ options: exclusive });
  await untilComplete(core);
  expect(core.s3.count("LIST")).toBeLessThanOrEqual(Math.ceil((20_000 - listed) / 1000) + 5);
  expect((await driverOf(core).readdir("/many")).size).toBe(20_000);
});

test("the bucket is listed again as often as asked for", async () => {
  const { core, driver } = await crawled(["a"], { "refresh-interval": "100ms" });
  core.s3.putText("b", "b");
  await waitUntil("the new name is there", async () =>
    driver.lstat("/b").then(
      () => true,
      () => false,
    ),
  );
});

test.each([1000, 1])(
  "an object that a directory hid is there after rmdir, with pages of %i keys",
  async (pageKeys) => {
    const { core, driver } = await crawled([]);
    core.s3.settings.quirks = { pageKeys };
    for (const key of ["a", "a/b", "c/d", "c/d/e"]) core.s3.putText(key, `text of ${key}`);
    await core.core.fileSystem.refresh("/");
    for (const [file, directory] of [
      ["/a/b", "/a"],
      ["/c/d/e", "/c/d"],
    ] as const) {
      await driver.unlink(file);
      await driver.rmdir(directory);
      await core.core.drained();
      expect(await readFile(driver, directory)).toBe(`text of ${directory.slice(1)}`);
    }
  },
);
