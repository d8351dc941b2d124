// Directories that are listed page by page: in any order of the store, complete and without duplicates, and at once.
import { expect, test } from "vitest";
import type { DirectoryHandle } from "../../../src/fs/file-system.ts";
import { writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import type { Quirks } from "../../support/loopback-s3/quirks.ts";
import { context, countsOf, driverOf, testCore } from "./core-fixture.ts";

async function openDirectory(core: TestCore, path: string): Promise<DirectoryHandle> {
  return core.core.fileSystem.opendir(path, context);
}

/** Reads on from `offset`; at most `reads` batches. */
async function readOn(handle: DirectoryHandle, offset = 0, reads = Infinity): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < reads; i += 1) {
    const entries = await handle.read(offset + names.length, context);
    if (entries.length === 0) break;
    names.push(...entries.map(({ name }) => name));
  }
  return names;
}

function putOddNames(core: TestCore): string[] {
  const names = new Set<string>();
  // spellings that sort before and behind the slash of a directory of their beginning
  for (let i = 0; i < 700; i += 1) {
    for (const tail of ["", "-a", ".b", " c", "0", "é", "\u{1f600}"]) names.add(`n${i}${tail}`);
  }
  let isFile = false;
  for (const name of names) {
    core.s3.putText(isFile ? `d/${name}` : `d/${name}/f`, "x");
    isFile = !isFile;
  }
  return [...names].sort();
}

const stores: [title: string, quirks: Quirks][] = [
  ["by bytes", {}],
  ["by UTF-16", { listOrder: "utf16" }],
  ["as a walk goes", { listOrder: "walk" }],
  ["by hashes", { listOrder: "hashed" }],
  ["by bytes and repeats prefixes", { repeatCommonPrefixes: true }],
];

test.each(stores)("a store that lists %s shows each name once", async (_title, quirks) => {
  const core = await testCore();
  core.s3.settings.quirks = quirks;
  const names = putOddNames(core);
  const handle = await openDirectory(core, "/d");
  expect((await readOn(handle)).sort()).toEqual(names);
  expect(core.s3.count("LIST")).toBeLessThanOrEqual(7);
  // from memory
  core.s3.reset();
  expect((await readOn(await openDirectory(core, "/d"))).sort()).toEqual(names);
  expect(core.s3.count()).toBe(0);
});

test("a store that starts again in the middle shows each name once", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 3000, 1);
  core.s3.settings.quirks = { restartAfterDeletedToken: true };
  const handle = await openDirectory(core, "/d");
  const first = await readOn(handle, 0, 1);
  const page = core.s3.bucket.objects.keys.slice(0, 1000);
  core.s3.bucket.delete(page.at(-1) ?? "");
  const names = [...first, ...(await readOn(handle, first.length))];
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(2999);
});

test("the first names come with the first page", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 50_000, 1);
  await core.core.fileSystem.lookup("/d", context);
  core.s3.reset();
  const handle = await openDirectory(core, "/d");
  expect((await handle.read(0, context)).length).toBeGreaterThan(0);
  expect(countsOf(core)).toEqual({ LIST: 1 });
  handle.release();
});

test("another reader goes on with the pages that came", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 5000, 1);
  const one = await openDirectory(core, "/d");
  const first = await readOn(one, 0, 2);
  const other = await openDirectory(core, "/d");
  expect(await readOn(other)).toHaveLength(5000);
  expect(await readOn(one, first.length)).toHaveLength(5000 - first.length);
  // the root's lookup of d is one of them
  expect(core.s3.count("LIST")).toBe(6);
});

test("names that are made and removed meanwhile come once or not at all, the others once", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 6000, 1);
  const driver = driverOf(core);
  const handle = await openDirectory(core, "/d");
  const names: string[] = [];
  for (let round = 0; ; round += 1) {
    const entries = await handle.read(names.length, context);
    if (entries.length === 0) break;
    names.push(...entries.map(({ name }) => name));
    await driver.unlink(`/d/n${round}`);
    await driver.unlink(`/d/n${5999 - round}`);
    await writeFile(driver, `/d/a${round}`, "before all");
    await writeFile(driver, `/d/z${round}`, "behind all");
    await driver.rename(`/d/n${100 + round}`, `/d/nn${round}`);
  }
  expect(new Set(names).size).toBe(names.length);
  const given = new Set(names);
  for (let i = 200; i < 5900; i += 1) expect(given.has(`n${i}`)).toBe(true);
});

test("a file that is being created is there once, also when it is closed meanwhile", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 3000, 1);
  const driver = driverOf(core);
  await driver.readdir("/d");
  const file = await driver.open("/d/n15", 0o101);
  const fresh = await driver.open("/d/mine", 0o101);
  const handle = await openDirectory(core, "/d");
  const first = await readOn(handle, 0, 2);
  await fresh.close();
  await file.close();
  const names = [...first, ...(await readOn(handle, first.length))];
  expect(names.filter((name) => name === "mine")).toHaveLength(1);
  expect(new Set(names).size).toBe(3001);
});

test("positions that were told before lead to the same names", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 5000, 1);
  const handle = await openDirectory(core, "/d");
  const names = await readOn(handle);
  for (const at of [4999, 1, 2500, 1023, 1024, 1025]) {
    expect(await readOn(handle, at)).toEqual(names.slice(at));
  }
  // rewinddir
  expect(await readOn(handle)).toEqual(names);
});

test("what vanished from the bucket is gone from the listing, page by page", async () => {
  const core = await testCore({ "stat-cache-ttl": "0" });
  core.s3.putSynthetic("d/n", 3000, 1);
  expect((await driverOf(core).readdir("/d")).size).toBe(3000);
  for (let i = 0; i < 3000; i += 2) core.s3.bucket.delete(`d/n${i}`);
  const names = await readOn(await openDirectory(core, "/d"));
  expect(names).toHaveLength(1500);
  expect(names.every((name) => Number(name.slice(1)) % 2 === 1)).toBe(true);
});

test("a listing that fails in the middle is EIO, and goes on where it was once S3 is back", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  core.s3.putSynthetic("d/n", 5000, 1);
  const handle = await openDirectory(core, "/d");
  const first = await readOn(handle, 0, 1);
  core.s3.faults.add({ verbs: ["LIST"], effect: { kind: "status", status: 503 } });
  const read = async (): Promise<void> => {
    for (;;) first.push(...(await readOn(handle, first.length, 1)));
  };
  await expect(read()).rejects.toMatchObject({ code: "EIO" });
  core.s3.faults.clear();
  const names = [...first, ...(await readOn(handle, first.length))];
  expect(new Set(names).size).toBe(5000);
});

test("rmdir of a huge directory asks for one page", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 20_000, 1);
  await core.core.fileSystem.lookup("/d", context);
  core.s3.reset();
  await expect(driverOf(core).rmdir("/d")).rejects.toMatchObject({ code: "ENOTEMPTY" });
  expect(countsOf(core)).toEqual({ LIST: 1 });
});
