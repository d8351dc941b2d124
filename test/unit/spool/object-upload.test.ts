import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { partRanges } from "../../../src/spool/object-upload.ts";
import { s3Error } from "./memory-store.ts";
import { gate, QueueBench } from "./queue-bench.ts";

const MIB = 2 ** 20;
let bench: QueueBench;

beforeEach(async () => {
  setLogSink(() => undefined, "plain");
  bench = await QueueBench.open({ multipartThreshold: 1000, partSize: 300, partConcurrency: 3 });
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

const text = "0123456789".repeat(110);

test.each([
  ["one part", 5, 10, [5]],
  ["equal parts and a rest", 25, 10, [10, 10, 5]],
  ["no empty last part", 20, 10, [10, 10]],
])("partRanges() makes %s", (_what, size, partSize, lengths) => {
  expect(partRanges(size, partSize).map(({ start, end }) => end - start)).toEqual(lengths);
});

test("partRanges() grows parts by whole MiB so that 10,000 suffice for 5 TiB", () => {
  const ranges = partRanges(5 * 2 ** 40, 8 * MIB);
  expect(ranges.length).toBeLessThanOrEqual(10_000);
  const [first] = ranges;
  expect((first?.end ?? 1) % MIB).toBe(0);
});

test("an object above the threshold goes by parts, and its upload id is durable first", async () => {
  bench.store.before = (verb) => {
    if (verb !== "UPLOAD_PART") return;
    expect([...bench.state.journal.values()]).toMatchObject([{ uploadId: "upload-0" }]);
  };
  bench.queue.start(bench.events);
  await bench.put("a", text);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: text });
  expect(bench.store.partSizes.sort((a, b) => b - a)).toEqual([300, 300, 300, 200]);
  expect(bench.store.mostRunning).toBe(3);
});

test("a failed part aborts the upload, and it starts anew", async () => {
  let failures = 1;
  bench.store.before = (verb) => {
    if (verb === "UPLOAD_PART" && failures-- > 0) throw s3Error("reset");
  };
  bench.queue.start(bench.events);
  await bench.put("a", text);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: text });
  expect(bench.store.requests.ABORT_MULTIPART).toBeGreaterThanOrEqual(1);
  expect(bench.store.uploads.size).toBe(0);
});

test("an upload that a crash left behind is aborted at the next start", async () => {
  const { reached } = gate(bench.store, (verb) => verb === "UPLOAD_PART");
  bench.queue.start(bench.events);
  await bench.put("a", text);
  await reached;
  await bench.crash();
  expect(bench.store.uploads.size).toBe(1);
  bench.store.before = () => undefined;
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: text });
  expect(bench.store.uploads.size).toBe(0);
});

test("an upload that a crash left behind is aborted when the file is deleted instead", async () => {
  const { reached } = gate(bench.store, (verb) => verb === "UPLOAD_PART");
  bench.queue.start(bench.events);
  await bench.put("a", text);
  await reached;
  await bench.crash();
  bench.store.before = () => undefined;
  await bench.change((plan) => plan.delete("a", false));
  await vi.waitFor(() => expect(bench.store.uploads.size).toBe(0));
});
