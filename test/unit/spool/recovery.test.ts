import { readdir, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { recoverSpool } from "../../../src/spool/recovery.ts";
import { QueueBench } from "./queue-bench.ts";

let bench: QueueBench;

beforeEach(async () => {
  setLogSink(() => undefined, "plain");
  bench = await QueueBench.open();
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

async function recover(options: { journalIsWhole?: boolean; etag?: string } = {}) {
  await bench.crash();
  const report = await recoverSpool({
    spool: bench.spool,
    records: bench.state.pending(),
    journalIsWhole: options.journalIsWhole ?? true,
    findAdopted: () => Promise.resolve(options.etag),
  });
  bench.queue = bench.makeQueue({ recovered: report });
  return report;
}

test("what was committed is uploaded, what was not is deleted", async () => {
  await bench.put("a", "kept");
  const lost = await bench.staged("never committed");
  const report = await recover();
  expect(report).toMatchObject({ removed: 1, quarantined: [] });
  await vi.waitFor(async () => expect(await bench.spool.sizeOf(lost)).toBeUndefined());
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: "kept" });
});

test("nothing with bytes is deleted when the journal is damaged", async () => {
  const unknown = await bench.staged("whose?");
  const report = await recover({ journalIsWhole: false });
  expect(report.quarantined).toEqual([join(bench.directory, "quarantine", unknown)]);
});

test("a short file is kept in quarantine, its record in the queue as failed", async () => {
  const staged = await bench.put("a", "hello");
  await truncate(bench.spool.path(staged), 2);
  const report = await recover();
  expect([...report.failed.values()]).toEqual(["staged file has 2 of 5 bytes"]);
  expect(await readdir(join(bench.directory, "quarantine"))).toContain(staged);
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.queue.status()).toMatchObject({ pending: 1, lastError: { key: "a" } });
  expect(bench.store.contents()).toEqual({});
});

test("an empty file that a power cut took is made again", async () => {
  const staged = await bench.put("directory/", "");
  await unlink(bench.spool.path(staged));
  expect((await recover()).failed.size).toBe(0);
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ "directory/": "" });
});

test("a file that is gone is an error, unless the cache has it", async () => {
  const staged = await bench.put("a", "hello");
  await unlink(bench.spool.path(staged));
  expect([...(await recover()).failed.values()]).toEqual(["staged file is gone"]);
  const uploaded = vi.fn<() => readonly never[]>(() => []);
  bench.events.uploaded = uploaded;
  const report = await recover({ etag: "etag-of-a" });
  expect(report.failed.size).toBe(0);
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(uploaded).toHaveBeenCalledExactlyOnceWith(expect.anything(), "etag-of-a", true);
  expect(bench.state.journal.size).toBe(0);
  expect(bench.store.log).toEqual([]);
});
