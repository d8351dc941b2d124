// `pailfs queue` from the core down: what it lists, and what discarding and retrying do to names, bucket and disk.
import {
  mkdir,
  readdir,
  readFile as readLocal,
  rm,
  writeFile as writeLocal,
} from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { QueueItem } from "../../../src/spool/queue-item.ts";
import { readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { countsOf, driverOf, objectText, testCore } from "./core-fixture.ts";

async function listed(core: TestCore, all = false, after = ""): Promise<QueueItem[]> {
  const items: QueueItem[] = [];
  for await (const item of core.core.queue.list(after, all)) items.push(item);
  return items;
}

/** The item of a key, once it is in that state. */
async function itemOf(core: TestCore, key: string, state: QueueItem["state"]): Promise<QueueItem> {
  let found: QueueItem | undefined;
  await waitUntil(`${key} is ${state}`, async () => {
    found = (await listed(core, true)).find((item) => item.key === key && item.state === state);
    return found !== undefined;
  });
  if (found === undefined) throw new Error("unreachable");
  return found;
}

/** PUT of keys that begin with "bad" is refused for good. */
function refuse(core: TestCore, key = "^bad"): void {
  const effect = { kind: "status", status: 403, code: "AccessDenied" } as const;
  core.s3.faults.add({ verbs: ["PUT"], key, effect });
}

async function stagedFiles(core: TestCore): Promise<string[]> {
  const directory = join(core.options.spool.stateDirectory, "spool");
  const names = await readdir(directory);
  const sizes = await Promise.all(
    names.map(async (name) => (await readLocal(join(directory, name)).catch(() => "")).length),
  );
  return names.filter((_, i) => (sizes[i] ?? 0) > 0);
}

test("many refused keys hold up no other, though each 403 might pass", async () => {
  const core = await testCore();
  refuse(core);
  const driver = driverOf(core);
  for (let i = 0; i < 40; i += 1) await writeFile(driver, `/bad${i}`, "x");
  const startedAt = Date.now();
  for (let i = 0; i < 20; i += 1) await writeFile(driver, `/good${i}`, "y");
  await core.core.drained("good");
  // s3_deadline is 30 s: a single 403 that was waited for would take longer than all of this
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  await waitUntil("all refused ones are known", () => core.core.status().queue.refused === 40);
  const [first] = await listed(core);
  expect(first).toMatchObject({ state: "refused", kind: "put", key: "bad0", bytes: 1 });
  expect(first?.reason).toContain("AccessDenied");
  core.s3.faults.clear();
  expect(core.core.queue.retry([])).toBe(40);
  await core.core.drained();
  expect(core.core.status().queue).toMatchObject({ length: 0, bytes: 0, refused: 0 });
});

test("how long work waits is told in the next run of the daemon too", async () => {
  const core = await testCore();
  refuse(core);
  const driver = driverOf(core);
  const before = Date.now();
  await writeFile(driver, "/bad", "x");
  const first = await itemOf(core, "bad", "refused");
  expect(first.sinceMs).toBeGreaterThanOrEqual(before);
  await core.reopen();
  const reopenedMs = Date.now();
  await waitUntil("time passes", () => Date.now() > reopenedMs);
  const again = await itemOf(core, "bad", "refused");
  expect(again.sinceMs).toBe(first.sinceMs);
  expect(core.core.status().queue.oldestMs).toBe(first.sinceMs);
});

test("a discarded upload leaves the name to what the bucket has, here and after a restart", async () => {
  const core = await testCore();
  core.s3.putText("bad", "before");
  const driver = driverOf(core);
  await writeFile(driver, "/good", "kept");
  expect(await readFile(driver, "/bad")).toBe("before");
  refuse(core);
  await writeFile(driver, "/bad", "after, and longer");
  await writeFile(driver, "/bad-new", "never was there");
  const [overwrite, fresh] = [
    await itemOf(core, "bad", "refused"),
    await itemOf(core, "bad-new", "refused"),
  ];
  await core.core.queue.discard(overwrite.id);
  await core.core.queue.discard(fresh.id);
  await core.core.drained();
  for (const round of ["now", "after a restart"]) {
    expect(await readFile(driverOf(core), "/bad"), round).toBe("before");
    await expect(driverOf(core).lstat("/bad-new"), round).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readFile(driverOf(core), "/good"), round).toBe("kept");
    if (round === "now") await core.reopen();
  }
  expect(await stagedFiles(core)).toEqual([]);
  expect(await listed(core, true)).toEqual([]);
  await expect(core.core.queue.discard(fresh.id)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a discarded rename leaves the object under its old name", async () => {
  const core = await testCore();
  core.s3.putText("old", "text");
  core.s3.faults.add({ verbs: ["COPY"], effect: { kind: "status", status: 403 } });
  const driver = driverOf(core);
  await driver.rename("/old", "/new");
  const copy = await itemOf(core, "new", "refused");
  expect(copy).toMatchObject({ kind: "copy", from: "old" });
  await core.core.queue.discard(copy.id);
  await core.core.drained();
  await expect(driver.lstat("/new")).rejects.toMatchObject({ code: "ENOENT" });
  expect(await readFile(driver, "/old")).toBe("text");
  expect(objectText(core, "old")).toBe("text");
  expect(countsOf(core)["DELETE"] ?? 0).toBe(0);
});

test("a discarded unlink shows the object again", async () => {
  const core = await testCore();
  core.s3.putText("f", "text");
  core.s3.faults.add({ verbs: ["DELETE"], effect: { kind: "status", status: 403 } });
  const driver = driverOf(core);
  await driver.unlink("/f");
  const item = await itemOf(core, "f", "refused");
  await core.core.queue.discard(item.id);
  expect(await readFile(driver, "/f")).toBe("text");
});

test("exported bytes stay where they are until the reader is through", async () => {
  const core = await testCore();
  refuse(core);
  await writeFile(driverOf(core), "/bad", "precious");
  const { id } = await itemOf(core, "bad", "refused");
  const reading = new AbortController();
  const { path, size, key } = await core.core.queue.export(id, reading.signal);
  expect([size, key]).toEqual([8, "bad"]);
  core.s3.faults.clear();
  core.core.queue.retry([id]);
  expect(await readLocal(path, "utf8")).toBe("precious");
  expect(objectText(core, "bad")).toBeUndefined();
  reading.abort();
  await core.core.drained();
  expect(objectText(core, "bad")).toBe("precious");
});

test("quarantined files are listed with their key, exported and discarded", async () => {
  const core = await testCore();
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await writeFile(driverOf(core), "/short", "promised");
  await core.core.close();
  const state = core.options.spool.stateDirectory;
  for (const name of await readdir(join(state, "spool"))) {
    await writeLocal(join(state, "spool", name), "pro");
  }
  // not ours: neither listed nor deleted
  await mkdir(join(state, "quarantine", "KEEP"));
  await core.reopen();
  const items = await listed(core);
  expect(items.map(({ state, key }) => [state, key])).toEqual([
    ["lost", "short"],
    ["quarantined", "short"],
  ]);
  const [lost, quarantined] = items;
  expect(quarantined?.reason).toBe("staged file has 3 of 8 bytes");
  expect(core.core.status().queue.refused).toBe(1);
  const found = await core.core.queue.export(quarantined?.id ?? "", new AbortController().signal);
  expect(await readLocal(found.path, "utf8")).toBe("pro");
  expect(() => core.core.queue.retry([quarantined?.id ?? ""])).toThrow("export it");
  await core.core.queue.discard(quarantined?.id ?? "");
  await core.core.queue.discard(lost?.id ?? "");
  expect(await listed(core, true)).toEqual([]);
  expect(await readdir(join(state, "quarantine"))).toEqual(["KEEP"]);
  await expect(core.core.queue.discard("../journal.mdb")).rejects.toMatchObject({ code: "ENOENT" });
  await rm(join(state, "quarantine", "KEEP"), { recursive: true });
});

test("the list goes on after any id", async () => {
  const core = await testCore();
  refuse(core, ".");
  for (let i = 0; i < 5; i += 1) await writeFile(driverOf(core), `/f${i}`, "x");
  const all = await listed(core, true);
  expect(all.map(({ key }) => key)).toEqual(["f0", "f1", "f2", "f3", "f4"]);
  expect(await listed(core, true, all[2]?.id)).toEqual(all.slice(3));
});

test("a discarded upload leaves the name to what the bucket has, with sharing=exclusive too", async () => {
  const core = await testCore({ sharing: "exclusive" });
  core.s3.putText("bad", "before");
  await core.core.fileSystem.refresh("/");
  refuse(core);
  const driver = driverOf(core);
  await writeFile(driver, "/bad", "ours");
  const { id } = await itemOf(core, "bad", "refused");
  await core.core.queue.discard(id);
  expect(await readFile(driver, "/bad")).toBe("before");
});
