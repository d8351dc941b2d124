// Programs that go through a whole tree: find, du, rm -r.
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import type { Quirks } from "../../support/loopback-s3/quirks.ts";
import { countsOf, driverOf, testCore } from "./core-fixture.ts";

/** Paths below `path`, as find(1) goes. */
async function find(driver: PosixDriver, path: string, most = Infinity): Promise<string[]> {
  const found: string[] = [];
  for (const [name, type] of await driver.readdir(path)) {
    if (found.length >= most) break;
    const child = path === "/" ? `/${name}` : `${path}/${name}`;
    found.push(child);
    if (type === FileType.directory) found.push(...(await find(driver, child)));
  }
  return found;
}

/** `count` media as Synapse keeps them: two levels of shards. */
function putMedia(core: TestCore, count: number): string[] {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const keys = Array.from({ length: count }, (_, i) => {
    const letter = (n: number): string => letters[n % letters.length] ?? "";
    const [a, b] = [letter(i * 7) + letter(Math.floor(i / 52)), letter(i * 11) + letter(i * 3)];
    return `local_content/${a}/${b}/${(i * 7919).toString(36)}`;
  });
  for (const key of keys) core.s3.putText(key, "media");
  return keys;
}

function directoriesOf(keys: readonly string[]): Set<string> {
  const directories = new Set<string>();
  for (const key of keys) {
    const names = key.split("/");
    for (let i = 1; i < names.length; i += 1) directories.add(`/${names.slice(0, i).join("/")}`);
  }
  return directories;
}

test("find over 1,500 small directories costs a few LIST, and nothing the second time", async () => {
  const core = await testCore();
  const keys = putMedia(core, 757);
  const expected = [...directoriesOf(keys), ...keys.map((key) => `/${key}`)].sort();
  const driver = driverOf(core);
  expect(directoriesOf(keys).size).toBe(1515);
  expect((await find(driver, "/")).sort()).toEqual(expected);
  expect(Object.keys(countsOf(core))).toEqual(["LIST"]);
  expect(core.s3.count("LIST")).toBeLessThanOrEqual(12);
  core.s3.reset();
  expect((await find(driver, "/")).sort()).toEqual(expected);
  expect(core.s3.count()).toBe(0);
});

test.each([{ listOrder: "walk" }, { listOrder: "hashed" }, { listOrder: "utf16" }] as Quirks[])(
  "find finds everything in a store with %o",
  async (quirks) => {
    const core = await testCore();
    core.s3.settings.quirks = quirks;
    const keys = putMedia(core, 200);
    // names around the slash in the order of bytes
    for (const name of ["AA-", "AA.x", "AA0", "\u{1f600}", "\uff5e"]) {
      keys.push(`local_content/${name}/f`, `local_content/${name}/sub dir/g`);
    }
    for (const key of keys) core.s3.putText(key, "media");
    const expected = [...directoriesOf(keys), ...keys.map((key) => `/${key}`)].sort();
    expect((await find(driverOf(core), "/")).sort()).toEqual(expected);
  },
);

test("a walk that stops is not gone on with", async () => {
  const core = await testCore();
  core.s3.putSynthetic("x/d", 1, 1);
  for (let i = 0; i < 5000; i += 1) core.s3.putText(`d/s${i}/f`, "x");
  const driver = driverOf(core);
  await find(driver, "/d", 20);
  // five for the names of d, two directories by themselves, one page of what is below the next ones
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 6 });
});

test("large directories among small ones are listed by themselves", async () => {
  const core = await testCore();
  for (let i = 0; i < 60; i += 1) core.s3.putText(`d/s${i}/f`, "x");
  core.s3.putSynthetic("d/s3/n", 2500, 1);
  core.s3.putSynthetic("d/s41/n", 2500, 1);
  const found = await find(driverOf(core), "/");
  expect(found).toHaveLength(1 + 60 + 60 + 5000);
  expect(core.s3.count("LIST")).toBeLessThanOrEqual(20);
});

test("what a walk learnt is as true as a listing: ours stays, what is gone goes", async () => {
  const core = await testCore({ "stat-cache-ttl": "200ms" });
  const driver = driverOf(core);
  for (let i = 0; i < 100; i += 1) core.s3.putText(`d/s${i}/f`, "x");
  await find(driver, "/");
  core.s3.faults.add({ verbs: ["PUT", "DELETE"], effect: { kind: "status", status: 503 } });
  await writeFile(driver, "/d/s50/mine", "not uploaded");
  await driver.unlink("/d/s51/f");
  await driver.mkdir("/d/s52x");
  core.s3.bucket.delete("d/s60/f");
  core.s3.putText("d/s61/g", "x");
  const expected = new Set(Array.from({ length: 100 }, (_, i) => `/d/s${i}/f`));
  expected.delete("/d/s51/f");
  expected.delete("/d/s60/f");
  expected.add("/d/s50/mine").add("/d/s61/g");
  await new Promise((resolve) => setTimeout(resolve, 201));
  const found = await find(driver, "/");
  expect(found.filter((path) => /\/[fg]$|mine$/.test(path)).sort()).toEqual([...expected].sort());
  expect(found).toContain("/d/s52x");
});

test("a walk in trouble is EIO for what is not known", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  const driver = driverOf(core);
  for (let i = 0; i < 1500; i += 1) core.s3.putText(`d/s${1000 + i}/f`, "x");
  await driver.readdir("/d");
  for (const i of [1000, 1001, 1002]) await driver.readdir(`/d/s${i}`);
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  // of the page that the third one brought
  expect((await driver.readdir("/d/s1900")).size).toBe(1);
  await expect(driver.readdir("/d/s2400")).rejects.toMatchObject({ code: "EIO" });
});
