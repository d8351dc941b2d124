import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { isRefused, s3Error } from "./memory-store.ts";
import { gate, isGone, QueueBench } from "./queue-bench.ts";

let bench: QueueBench;
let lines: string[] = [];

beforeEach(async () => {
  lines = [];
  setLogSink((line) => lines.push(line), "plain");
  bench = await QueueBench.open();
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

describe("trouble", () => {
  test("is retried until it ends, with one line at its start and one at its end", async () => {
    let down = true;
    bench.store.before = () => {
      if (down) throw s3Error("connection refused");
    };
    bench.queue.start(bench.events);
    await Promise.all(["a", "b", "c"].map((key) => bench.put(key, key)));
    await vi.waitFor(() => expect(bench.store.log.length).toBeGreaterThan(9));
    expect(bench.queue.status()).toMatchObject({
      pending: 3,
      pendingBytes: 3,
      lastError: { message: "connection refused" },
    });
    down = false;
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "a", b: "b", c: "c" });
    expect(lines.filter((line) => line.includes("Uploads fail"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes("work again"))).toHaveLength(1);
    await vi.waitFor(() => {
      expect(bench.queue.status()).toMatchObject({
        pending: 0,
        pendingBytes: 0,
        running: 0,
        stuck: 0,
      });
    });
  });

  test("a long queue does not mean many requests while S3 is down", async () => {
    bench.queue = bench.makeQueue({ retry: { minMs: 50, maxMs: 200 } });
    let down = true;
    bench.store.before = () => {
      if (down) throw s3Error("connection refused");
    };
    const staged = await bench.staged("x");
    await bench.change((plan) => {
      for (let i = 0; i < 500; i++) plan.put({ key: `k${i}`, staged, size: 1, inBucket: false });
    });
    bench.queue.start(bench.events);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(bench.store.log.length).toBeLessThan(100);
    down = false;
    await bench.queue.drained();
    expect(bench.store.objects.size).toBe(500);
  });

  test("when everything is refused, few requests say so, and all goes on when it is not", async () => {
    bench.queue = bench.makeQueue({ retry: { minMs: 50, maxMs: 60_000, isRefused } });
    let expired = true;
    bench.store.before = () => {
      if (expired) throw s3Error("keys have expired", true);
    };
    const staged = await bench.staged("x");
    await bench.change((plan) => {
      for (let i = 0; i < 500; i++) plan.put({ key: `k${i}`, staged, size: 1, inBucket: false });
    });
    bench.queue.start(bench.events);
    await vi.waitFor(() => expect(lines.join("")).toContain("Uploads fail"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(bench.store.log.length).toBeLessThan(100);
    expect(bench.queue.status().stuck).toBe(0);
    expired = false;
    const drained = bench.queue.drained();
    await vi.waitFor(() => expect(bench.queue.status().pending).toBe(0), 10_000);
    await drained;
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain("work again");
  });

  test("an attempt that still hangs when S3 is back is begun anew", async () => {
    let isDown = true;
    let isMute = false;
    const hung = new Set<string>();
    bench.store.before = async (_verb, key, options) => {
      if (!isMute && isDown) throw s3Error("connection refused");
      if (!isDown || hung.has(key)) return;
      // a quick probe gives up before the rest does
      if (options?.deadlineMs !== undefined) throw s3Error("nothing came");
      hung.add(key);
      await new Promise(() => undefined);
    };
    bench.queue.start(bench.events);
    await Promise.all(["a", "b", "c", "d", "e"].map((key) => bench.put(key, key)));
    // enough failures to be taken for an outage
    await vi.waitFor(() => expect(bench.store.log.length).toBeGreaterThan(8));
    isMute = true;
    await vi.waitFor(() => expect(hung.size).toBe(1));
    const tried = bench.store.log.length;
    await vi.waitFor(() => expect(bench.store.log.length).toBeGreaterThan(tried));
    isDown = false;
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "a", b: "b", c: "c", d: "d", e: "e" });
  });

  test("a failure of what was sent before S3 was back is no new trouble", async () => {
    let fail = (): void => undefined;
    const late = new Promise<void>((_, reject) => (fail = () => reject(s3Error("reset"))));
    let isFirst = true;
    bench.store.before = (_verb, key) => {
      if (key !== "late" || !isFirst) return undefined;
      isFirst = false;
      return late;
    };
    bench.queue.start(bench.events);
    await bench.put("late", "x");
    await vi.waitFor(() => expect(bench.store.log).toContain("PUT late"));
    await bench.put("good", "x");
    await bench.queue.drained("good");
    fail();
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ late: "x", good: "x" });
    expect(lines).toEqual([]);
  });

  test("who waits for the queue does not wait for the pause of what failed", async () => {
    bench.queue = bench.makeQueue({ retry: { minMs: 10_000_000, maxMs: 10_000_000, isRefused } });
    let down = true;
    bench.store.before = () => {
      if (down) throw s3Error("connection refused");
    };
    bench.queue.start(bench.events);
    await bench.put("a", "x");
    await vi.waitFor(() => expect(bench.queue.status().lastError).toBeDefined());
    down = false;
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "x" });
  });

  test("a refused key does not hold up the others", async () => {
    bench.queue = bench.makeQueue({ concurrency: 1 });
    bench.store.before = (_verb, key) => {
      if (key === "bad") throw s3Error("access denied", true);
    };
    bench.queue.start(bench.events);
    await bench.put("bad", "x");
    for (let i = 0; i < 20; i++) await bench.put(`good-${i}`, "x");
    await bench.queue.drained("good-");
    expect(bench.queue.status()).toMatchObject({ pending: 1, lastError: { key: "bad" } });
    expect(lines.filter((line) => line.includes("bad"))).toHaveLength(1);
  });

  test("settled() rejects when an attempt failed, and the work stays", async () => {
    let down = true;
    bench.store.before = () => {
      if (down) throw s3Error("connection refused");
    };
    bench.queue.start(bench.events);
    await bench.put("a", "x");
    await expect(bench.queue.settled("a")).rejects.toMatchObject({ code: "EIO" });
    expect(bench.queue.fate("a")).toBe("put");
    down = false;
    await bench.queue.settled("a");
    expect(bench.store.contents()).toEqual({ a: "x" });
  });

  test("a journal that cannot be written keeps the record until it can", async () => {
    bench.queue.start(bench.events);
    let failures = 2;
    bench.state.before = (change) => {
      if (change.dequeue?.length === 1 && failures-- > 0) throw new FsError("ENOSPC", "full");
    };
    const id = await bench.put("a", "x");
    await vi.waitFor(() => expect(bench.store.log).toEqual(["PUT a"]));
    expect(bench.state.journal.size).toBe(1);
    expect(await isGone(bench.spool, id)).toBe(false);
    await bench.queue.drained();
    expect(bench.state.journal.size).toBe(0);
  });

  test("stop() aborts what is under way and keeps it for the next start", async () => {
    const { reached } = gate(bench.store, (verb) => verb === "PUT");
    bench.queue.start(bench.events);
    await bench.put("a", "one");
    await reached;
    await bench.crash();
    bench.store.before = () => undefined;
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "one" });
  });
});

test("at most `concurrency` operations run, in order of seq, and 10,000 drain", async () => {
  bench.queue = bench.makeQueue({ concurrency: 8 });
  const staged = await bench.staged("same bytes");
  for (let i = 0; i < 100; i++) {
    await bench.change((plan) => {
      for (let j = 0; j < 100; j++) {
        plan.put({ key: `k${i}-${j}`, staged, size: 10, inBucket: false });
      }
    });
  }
  expect(bench.queue.status()).toMatchObject({ pending: 10_000, pendingBytes: 100_000 });
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.objects.size).toBe(10_000);
  expect(bench.store.mostRunning).toBeLessThanOrEqual(8);
  const first = bench.store.log.slice(0, 8).sort();
  expect(first).toEqual(Array.from({ length: 8 }, (_, j) => `PUT k0-${j}`));
  await vi.waitFor(async () => expect(await isGone(bench.spool, staged)).toBe(true));
});
