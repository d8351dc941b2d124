// Tenet 5, for --sharing=shared: what each operation costs in requests.
import { expect, test } from "vitest";
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../../src/posix/open-flags.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { makeFile, readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import type { LoopbackVerb } from "../../support/loopback-s3/verbs.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { rampBytes } from "../../support/s3-store.ts";
import { countsOf, driverOf, testCore } from "./core-fixture.ts";

const MIB = 1024 ** 2;

interface Row {
  readonly operation: string;
  /** What is in the bucket, and known, before. */
  prepare?(core: TestCore, driver: PosixDriver): Promise<void> | void;
  run(driver: PosixDriver): Promise<unknown>;
  /** Requests until everything is in the bucket. */
  readonly costs: Partial<Record<LoopbackVerb, number>>;
}

async function know(core: TestCore, driver: PosixDriver): Promise<void> {
  core.s3.putText("f", "text");
  await driver.readdir("/");
}

/** The cache is filled off the path of those who read and upload. */
async function untilCached(core: TestCore): Promise<void> {
  await waitUntil("the cache has an object", () => core.core.status().cache.objects === 1);
}

const lookup = { HEAD: 1, LIST: 1 };

const rows: Row[] = [
  { operation: "stat of a known name", prepare: know, run: (d) => d.lstat("/f"), costs: {} },
  {
    operation: "stat of an unknown name that is there",
    prepare: (core) => core.s3.putText("f", "text"),
    run: (d) => d.lstat("/f"),
    costs: lookup,
  },
  {
    operation: "stat of an unknown name that is absent",
    run: (d) => d.lstat("/f").catch(() => undefined),
    costs: lookup,
  },
  {
    operation: "stat of an absent name in a listed directory",
    prepare: know,
    run: (d) => d.lstat("/g").catch(() => undefined),
    costs: {},
  },
  {
    operation: "stat deep in an unknown subtree of up to 1,000 keys",
    prepare: (core) => core.s3.putText("a/b/c/d", "text"),
    run: (d) => d.lstat("/a/b/c/d"),
    costs: lookup,
  },
  {
    operation: "stat of an absent name deep in that subtree",
    prepare: async (core, d) => {
      core.s3.putText("a/b/c/d", "text");
      await d.lstat("/a/b");
    },
    run: (d) => d.lstat("/a/b/x/y").catch(() => undefined),
    costs: {},
  },
  {
    operation: "stat of a name in a subtree of more than 1,000 keys",
    prepare: (core) => core.s3.putSynthetic("a/f", 1001, 1),
    run: (d) => d.lstat("/a/f999"),
    costs: { HEAD: 2, LIST: 2 },
  },
  {
    operation: "open and close of a known file",
    prepare: know,
    run: async (d) => (await d.open("/f", O_RDONLY)).close(),
    costs: {},
  },
  {
    operation: "read of a known file",
    prepare: know,
    run: (d) => readFile(d, "/f"),
    costs: { GET: 1 },
  },
  {
    operation: "a second read of a file",
    prepare: async (core, d) => {
      await know(core, d);
      await readFile(d, "/f");
      await untilCached(core);
    },
    run: (d) => readFile(d, "/f"),
    costs: {},
  },
  {
    operation: "read of an object of 8 MiB in pieces of 128 KiB",
    prepare: async (core, d) => {
      core.s3.putRamp("f", 8 * MIB);
      await d.readdir("/");
    },
    async run(d) {
      const file = await d.open("/f", O_RDONLY);
      for (let at = 0; at < 8 * MIB; at += 128 * 1024) await file.read(at, 128 * 1024);
      await file.close();
    },
    costs: { GET: 1 },
  },
  { operation: "mkdir in a known directory", prepare: know, run: (d) => d.mkdir("/d"), costs: {} },
  {
    operation: "rmdir of an empty directory made here",
    prepare: async (core, d) => {
      await know(core, d);
      await d.mkdir("/d");
    },
    run: (d) => d.rmdir("/d"),
    costs: {},
  },
  {
    operation: "create, write and close, in a known directory",
    prepare: know,
    run: (d) => writeFile(d, "/g", "text"),
    costs: { PUT: 1 },
  },
  {
    operation: "create, write and close in new directories below an unknown one",
    async run(d) {
      for (const path of ["/a", "/a/b", "/a/b/c"]) await d.mkdir(path);
      await writeFile(d, "/a/b/c/f", "text");
    },
    costs: { ...lookup, PUT: 1 },
  },
  {
    operation: "create and close of an empty file",
    prepare: know,
    run: (d) => makeFile(d, "/g"),
    costs: { PUT: 1 },
  },
  {
    operation: "a file of 64 MiB",
    prepare: know,
    async run(d) {
      const file = await d.open("/g", O_WRONLY | O_CREAT);
      const bytes = rampBytes(8 * MIB);
      for (let i = 0; i < 8; i += 1) await file.write(i * bytes.length, bytes);
      await file.close();
    },
    costs: { PUT: 1 },
  },
  {
    operation: "reading back what was written and uploaded",
    prepare: async (core, d) => {
      await know(core, d);
      await writeFile(d, "/g", "text");
      await core.core.drained();
    },
    run: (d) => readFile(d, "/g"),
    costs: {},
  },
  {
    operation: "three files, written side by side",
    prepare: know,
    run: (d) => Promise.all(["/x", "/y", "/z"].map((path) => writeFile(d, path, path))),
    costs: { PUT: 3 },
  },
  {
    operation: "a Synapse upload: original, 5 thumbnails and their directories, in known ones",
    prepare: async (_core, d) => {
      await d.mkdir("/content");
      await d.mkdir("/thumbnails");
    },
    async run(d) {
      for (const top of ["/content", "/thumbnails"]) {
        await d.mkdir(`${top}/AA`);
        await d.mkdir(`${top}/AA/BB`);
      }
      await writeFile(d, "/content/AA/BB/media", rampBytes(100_000));
      await d.mkdir("/thumbnails/AA/BB/media");
      for (let i = 0; i < 5; i += 1) {
        await writeFile(d, `/thumbnails/AA/BB/media/${i}`, rampBytes(5000, i));
      }
    },
    costs: { PUT: 6 },
  },
  {
    operation: "ls -l of 2,500 objects",
    prepare: (core) => core.s3.putSynthetic("f", 2500, 1),
    async run(d) {
      const names = await d.readdir("/");
      expect(names.size).toBe(2500);
      for (const name of names.keys()) await d.lstat(`/${name}`);
    },
    costs: { LIST: 3 },
  },
  {
    operation: "unlink of an object",
    prepare: know,
    run: (d) => d.unlink("/f"),
    costs: { DELETE: 1 },
  },
  {
    operation: "rename of an object",
    prepare: know,
    run: (d) => d.rename("/f", "/g"),
    costs: { COPY: 1, DELETE: 1 },
  },
  {
    operation: "rename of a directory of three objects",
    prepare: (core) => {
      for (const name of ["x", "y", "z/w"]) core.s3.putText(`d/${name}`, name);
    },
    async run(d) {
      await d.readdir("/");
      await d.rename("/d", "/e");
    },
    costs: { LIST: 2, COPY: 3, DELETE: 3 },
  },
  {
    operation: "chmod, chown, utimens and an xattr of an object",
    prepare: know,
    async run(d) {
      await d.chmod("/f", 0o600);
      await d.chown("/f", 7, 7);
      await d.utimens("/f", 1n, 2n);
      await d.setxattr("/f", "user.x", "value");
    },
    costs: {},
  },
  {
    operation: "a symlink and a fifo",
    prepare: know,
    async run(d) {
      await d.symlink("f", "/l");
      await d.mknod("/p", 0o010644);
    },
    costs: {},
  },
];

test.each(rows)("$operation costs what was promised", async (row) => {
  const core = await testCore();
  const driver = driverOf(core);
  await row.prepare?.(core, driver);
  await core.core.drained();
  core.s3.reset();
  await row.run(driver);
  await core.core.drained();
  expect(countsOf(core)).toEqual(row.costs);
});

const pending: Row[] = [
  { operation: "rename", run: (d) => d.rename("/g", "/h"), costs: { PUT: 1 } },
  { operation: "unlink", run: (d) => d.unlink("/g"), costs: {} },
  { operation: "overwrite", run: (d) => writeFile(d, "/g", "other"), costs: { PUT: 1 } },
  { operation: "read", run: (d) => readFile(d, "/g"), costs: { PUT: 1 } },
];

test.each(pending)("$operation of a file that waits for its upload", async (row) => {
  const core = await testCore({ concurrency: "1" });
  const driver = driverOf(core);
  await know(core, driver);
  // the one slot is taken while this lasts
  core.s3.faults.add({ verbs: ["PUT"], key: "blocker", effect: { kind: "hang" } });
  core.s3.settings.latencyMs = 300;
  await writeFile(driver, "/blocker", "x");
  await writeFile(driver, "/g", "text");
  await row.run(driver);
  core.s3.settings.latencyMs = 0;
  await driver.unlink("/blocker");
  core.s3.faults.clear();
  core.s3.reset();
  await core.core.drained();
  expect(
    core.s3.log.filter(({ key }) => key === "g" || key === "h").map(({ verb }) => verb),
  ).toEqual(Object.keys(row.costs));
});

test("ack=s3: what was written is not fetched, at once or after a restart", async () => {
  const core = await testCore({ ack: "s3" });
  const driver = driverOf(core);
  const text = "x".repeat(300_000);
  await know(core, driver);
  core.s3.reset();
  for (const path of ["/g", "/f"]) {
    const file = await driver.open(path, O_CREAT | O_TRUNC | O_WRONLY);
    await file.write(0, text);
    await file.sync();
    // uploaded while it is open
    expect(core.s3.counts.PUT).toBe(path === "/g" ? 1 : 2);
    await file.close();
    expect(await readFile(driver, path)).toBe(text);
  }
  expect(countsOf(core)).toEqual({ PUT: 2 });
  await waitUntil("the cache has both", () => core.core.status().cache.objects === 2);
  await core.reopen();
  core.s3.reset();
  expect(await readFile(driverOf(core), "/g")).toBe(text);
  expect(countsOf(core)).toEqual({});
});

test("ack=s3: bytes that were written after the last upload are uploaded too before they are cached", async () => {
  const core = await testCore({ ack: "s3" });
  const driver = driverOf(core);
  await driver.readdir("/");
  const file = await driver.open("/g", O_CREAT | O_WRONLY);
  await file.write(0, "first");
  await file.sync();
  await file.write(0, "other");
  await file.close();
  expect(await readFile(driver, "/g")).toBe("other");
  await waitUntil("the cache has it", () => core.core.status().cache.objects === 1);
  await core.reopen();
  core.s3.reset();
  expect(await readFile(driverOf(core), "/g")).toBe("other");
  expect(countsOf(core)).toEqual({});
});
