// Names of queued work after the index was lost: their bytes may be several renames away from their keys.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { queuedContent } from "../../../src/fs/namespace/queued-content.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import type { QueueRecord } from "../../../src/state/queue-record.ts";
import { fails, readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import { driverOf, objectText, testCore } from "./core-fixture.ts";

function contentOf(...records: QueueRecord[]): Record<string, unknown> {
  return Object.fromEntries(queuedContent(records.map((record) => ({ record }))));
}

const copy = (from: string, to: string, etag = from): QueueRecord => ({
  kind: "copy",
  from,
  to,
  etag,
  size: 1,
});
const gone = (key: string): QueueRecord => ({ kind: "delete", key });

test("queuedContent() follows chains of copies to where the bytes are", () => {
  expect(contentOf(copy("a", "b"), gone("a"), copy("b", "c", "a"), gone("b"))).toEqual({
    c: { key: "a", etag: "a", size: 1 },
  });
  const swap = [copy("x", "z"), copy("y", "x"), copy("z", "y", "x"), gone("z")];
  expect(contentOf(...swap)).toEqual({
    x: { key: "y", etag: "y", size: 1 },
    y: { key: "x", etag: "x", size: 1 },
  });
});

test("queuedContent() leaves out what is deleted last, and takes the last upload", () => {
  const put = { kind: "put", key: "k", staged: "s1", size: 3 } as const;
  expect(contentOf(put, gone("k"))).toEqual({});
  expect(contentOf(gone("k"), { ...put, staged: "s0" }, put)).toEqual({
    k: { staged: "s1", size: 3 },
  });
});

/** Starts again without the index, as after a power cut. */
async function reopenWithoutIndex(core: TestCore): Promise<void> {
  await core.core.close();
  for (const name of ["index.mdb", "index.mdb-lock"]) {
    await rm(join(core.options.spool.stateDirectory, name), { force: true });
  }
  await core.reopen();
}

test("names are made by the next start, when the one that built the index anew died before", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await driverOf(core).mkdir("/d");
  await writeFile(driverOf(core), "/d/f", "precious");
  await core.core.close();
  const { stateDirectory } = core.options.spool;
  for (const name of ["index.mdb", "index.mdb-lock"]) await rm(join(stateDirectory, name));
  const { endpoint, bucket, prefix } = core.options.s3;
  const identity = JSON.stringify([endpoint, bucket, prefix]);
  const state = await openMountState({ directory: stateDirectory, identity });
  expect(state.rebuilt).toBe(true);
  await state.close();
  await core.reopen();
  expect(await readFile(driverOf(core), "/d/f")).toBe("precious");
});

test("directories that were swapped are readable at once after the index was lost", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  let driver = driverOf(core);
  for (const name of ["x", "y"]) {
    await driver.mkdir(`/${name}`);
    await writeFile(driver, `/${name}/f`, `made in ${name}`);
  }
  await core.core.drained();
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 503 } });
  await driver.rename("/x", "/z");
  await driver.rename("/y", "/x");
  await driver.rename("/z", "/y");
  await reopenWithoutIndex(core);
  driver = driverOf(core);
  expect(await readFile(driver, "/x/f")).toBe("made in y");
  expect(await readFile(driver, "/y/f")).toBe("made in x");
  await fails(driver.lstat("/z/f"), "ENOENT");
  core.s3.faults.clear();
  await core.core.drained();
  expect([objectText(core, "x/f"), objectText(core, "y/f")]).toEqual(["made in y", "made in x"]);
  expect(await readFile(driver, "/x/f")).toBe("made in y");
});

test("an empty directory that was renamed is there at once after the index was lost", async () => {
  const core = await testCore({ metadata: "object", "s3-deadline": "1s" });
  let driver = driverOf(core);
  await driver.mkdir("/old");
  await driver.chmod("/old", 0o710);
  await core.core.drained();
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 503 } });
  await driver.rename("/old", "/new");
  await reopenWithoutIndex(core);
  driver = driverOf(core);
  expect([...(await driver.readdir("/")).keys()]).toEqual(["new"]);
  expect((await driver.lstat("/new")).mode & 0o7777).toBe(0o710);
  await fails(driver.lstat("/old"), "ENOENT");
  core.s3.faults.clear();
  await core.core.drained();
  expect([...(await driver.readdir("/")).keys()]).toEqual(["new"]);
  expect((await driver.lstat("/new")).mode & 0o7777).toBe(0o710);
});

test("a renamed directory with a marker of another tool is there at once after the index was lost", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  core.s3.putText("old/", "");
  let driver = driverOf(core);
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 503 } });
  await driver.rename("/old", "/new");
  await reopenWithoutIndex(core);
  driver = driverOf(core);
  expect([...(await driver.readdir("/")).keys()]).toEqual(["new"]);
  core.s3.faults.clear();
  await core.core.drained();
  expect([...(await driver.readdir("/")).keys()]).toEqual(["new"]);
});

test("a directory is listed while files of it are being deleted, after the index was lost", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  for (const key of ["part/gone", "part/left", "all/gone"]) core.s3.putText(key, key);
  let driver = driverOf(core);
  core.s3.faults.add({ verbs: ["DELETE"], effect: { kind: "status", status: 503 } });
  await driver.unlink("/part/gone");
  await driver.unlink("/all/gone");
  await driver.rmdir("/all");
  await reopenWithoutIndex(core);
  driver = driverOf(core);
  expect([...(await driver.readdir("/")).keys()]).toEqual(["part"]);
  expect([...(await driver.readdir("/part")).keys()]).toEqual(["left"]);
});
