// Which staged files become cache content once they are objects.
import { truncate } from "node:fs/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { isGone, QueueBench } from "./queue-bench.ts";

let bench: QueueBench;

beforeEach(async () => {
  setLogSink(() => undefined, "plain");
  bench = await QueueBench.open();
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

test("a failing cache costs its content, not the upload", async () => {
  await bench.queue.stop();
  const adopt = () => Promise.reject(new FsError("EIO", "Cannot adopt"));
  bench.queue = bench.makeQueue({ cache: { adopt } });
  bench.queue.start(bench.events);
  const staged = await bench.put("a", "hello");
  await bench.queue.drained();
  expect(bench.queue.status().pending).toBe(0);
  expect(bench.queue.status().lastError).toBeUndefined();
  expect(bench.store.log).toEqual(["PUT a"]);
  await vi.waitFor(async () => expect(await isGone(bench.spool, staged)).toBe(true));
});

test("hands a file that was uploaded while held to the cache when its last writer is gone", async () => {
  bench.takesIntoCache = true;
  bench.queue.start(bench.events);
  const staged = await bench.staged("hello");
  bench.queue.hold(staged);
  await bench.change((plan) => plan.put({ key: "a", staged, size: 5, inBucket: false }));
  await bench.queue.settled("a");
  expect(bench.adopted).toEqual([]);
  await bench.queue.unhold(staged);
  expect(bench.adopted).toMatchObject([{ key: "a", size: 5 }]);
});

test("hands no file to the cache that grew, or lost its record, after its upload", async () => {
  bench.takesIntoCache = true;
  bench.queue.start(bench.events);
  const [grown, again] = [await bench.staged("hello"), await bench.staged("hello")];
  for (const [key, staged] of Object.entries({ grown, again })) {
    bench.queue.hold(staged);
    await bench.change((plan) => plan.put({ key, staged, size: 5, inBucket: false }));
    await bench.queue.settled(key);
  }
  await truncate(bench.spool.path(grown), 6);
  // planned again with other bytes, and refused
  await bench.change((plan) => plan.put({ key: "again", staged: again, size: 5, inBucket: true }));
  await bench.change((plan) => plan.cancel("again", again));
  for (const staged of [grown, again]) {
    await bench.queue.unhold(staged);
    await vi.waitFor(async () => expect(await isGone(bench.spool, staged)).toBe(true));
  }
  expect(bench.adopted).toEqual([]);
});
