import { readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { gate, isGone, QueueBench } from "./queue-bench.ts";

let bench: QueueBench;

beforeEach(async () => {
  setLogSink(() => undefined, "plain");
  bench = await QueueBench.open();
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

describe("put", () => {
  test("publishes a committed file, drops its record and deletes it", async () => {
    const uploaded = vi.fn<(key: string, etag: string) => void>();
    bench.events.uploaded = (record, etag) => {
      uploaded(record.key, etag);
      return [];
    };
    bench.queue.start(bench.events);
    const id = await bench.put("a", "hello");
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "hello" });
    expect(uploaded).toHaveBeenCalledExactlyOnceWith("a", "5d41402abc4b2a76b9719d911017c592");
    expect(bench.state.journal.size).toBe(0);
    await vi.waitFor(async () => expect(await isGone(bench.spool, id)).toBe(true));
    expect(bench.store.log).toEqual(["PUT a"]);
  });

  test("starts nothing before commit(), and nothing after rollback()", async () => {
    bench.queue.start(bench.events);
    const staged = await bench.staged("x");
    const plan = bench.queue.plan();
    plan.put({ key: "a", staged, size: 1, inBucket: false });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(bench.queue.fate("a")).toBe("put");
    plan.rollback();
    await bench.queue.drained();
    expect(bench.queue.fate("a")).toBeUndefined();
    expect(bench.store.log).toEqual([]);
    expect(await isGone(bench.spool, staged)).toBe(false);
  });

  test("publishes exactly the promised size of a longer file, and does not adopt it", async () => {
    bench.takesIntoCache = true;
    const staged = await bench.staged("promised and more");
    bench.queue.start(bench.events);
    await bench.change((plan) => plan.put({ key: "a", staged, size: 8, inBucket: false }));
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "promised" });
    await vi.waitFor(async () => expect(await isGone(bench.spool, staged)).toBe(true));
    expect(bench.adopted).toEqual([]);
  });

  test("hands the file to the cache after the record was dropped", async () => {
    bench.takesIntoCache = true;
    bench.queue.start(bench.events);
    await bench.put("a", "hello");
    // who waits for the queue finds it there
    await bench.queue.drained();
    expect(bench.adopted).toHaveLength(1);
    expect(bench.adopted[0]).toMatchObject({ key: "a", size: 5 });
    expect(bench.state.journal.size).toBe(0);
  });

  test("quarantines a file that is shorter than promised, and never publishes it", async () => {
    const staged = await bench.staged("hello");
    await truncate(bench.spool.path(staged), 3);
    bench.queue.start(bench.events);
    await bench.change((plan) => plan.put({ key: "a", staged, size: 5, inBucket: false }));
    await vi.waitFor(() => expect(bench.queue.status().lastError?.message).toContain("3 of 5"));
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({});
    expect(bench.state.journal.size).toBe(1);
    const kept = await readdir(join(bench.directory, "quarantine"));
    expect(kept.sort()).toEqual([staged, `${staged}.json`]);
    await expect(bench.queue.settled("a")).rejects.toMatchObject({ code: "EIO" });
    // a new close of the name goes on as if nothing had been
    await bench.put("a", "again");
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "again" });
    expect(bench.state.journal.size).toBe(0);
  });

  test("waits for holds, counted, and leaves a file whose writer may plan again", async () => {
    bench.queue.start(bench.events);
    const staged = await bench.staged("one");
    bench.queue.hold(staged);
    bench.queue.hold(staged);
    await bench.change((plan) => plan.put({ key: "a", staged, size: 3, inBucket: false }));
    void bench.queue.unhold(staged);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(bench.store.log).toEqual([]);
    await bench.queue.settled("a");
    expect(bench.store.contents()).toEqual({ a: "one" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await isGone(bench.spool, staged)).toBe(false);
    void bench.queue.unhold(staged);
    await vi.waitFor(async () => expect(await isGone(bench.spool, staged)).toBe(true));
  });

  test("is replaced by a newer one while it waits, which needs one request", async () => {
    const first = await bench.put("a", "one");
    await bench.put("a", "two");
    expect(bench.state.journal.size).toBe(1);
    await vi.waitFor(async () => expect(await isGone(bench.spool, first)).toBe(true));
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["PUT a"]);
    expect(bench.store.contents()).toEqual({ a: "two" });
  });

  test("never runs beside another of the same key", async () => {
    bench.queue.start(bench.events);
    const { open, reached } = gate(bench.store, (verb) => verb === "PUT");
    await bench.put("a", "one");
    await reached;
    await bench.put("a", "two", true);
    await bench.put("a", "three", true);
    let isIdle = false;
    void bench.queue.idle("a").then(() => (isIdle = true));
    await Promise.resolve();
    expect(isIdle).toBe(false);
    open();
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["PUT a", "PUT a"]);
    expect(bench.store.contents()).toEqual({ a: "three" });
    expect(isIdle).toBe(true);
  });
});

describe("delete", () => {
  test("of what was never uploaded makes no request", async () => {
    await bench.put("a", "one");
    await bench.change((plan) => plan.delete("a", false));
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.log).toEqual([]);
    expect(bench.state.journal.size).toBe(0);
  });

  test("follows an upload that is under way", async () => {
    bench.queue.start(bench.events);
    const { open, reached } = gate(bench.store, (verb) => verb === "PUT");
    await bench.put("a", "one");
    await reached;
    await bench.change((plan) => plan.delete("a", false));
    open();
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["PUT a", "DELETE a"]);
    expect(bench.store.contents()).toEqual({});
  });

  test("of what an upload would have overwritten is still sent", async () => {
    bench.store.set("a", "old");
    await bench.put("a", "new", true);
    await bench.change((plan) => plan.delete("a", false));
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["DELETE a"]);
  });

  test("is dropped when an upload follows", async () => {
    bench.store.set("a", "old");
    await bench.change((plan) => plan.delete("a", true));
    await bench.put("a", "new");
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["PUT a"]);
  });

  test("waits until readers of the object are done, and leaves the slot to others", async () => {
    const narrow = bench.makeQueue({ concurrency: 1 });
    bench.queue = narrow;
    let free = (): void => undefined;
    bench.events.beforeReplace = (key) =>
      key === "a" ? new Promise((resolve) => (free = resolve)) : Promise.resolve();
    bench.store.set("a", "old");
    narrow.start(bench.events);
    await bench.change((plan) => plan.delete("a", true));
    await bench.put("b", "x");
    await narrow.drained("b");
    expect(bench.store.log).toEqual(["PUT b"]);
    free();
    await narrow.drained();
    expect(bench.store.contents()).toEqual({ b: "x" });
  });
});

describe("move", () => {
  const move = (from: string, to: string) => {
    const object = bench.store.objects.get(from);
    const version = { key: from, etag: object?.etag ?? "", size: object?.data.length ?? 0 };
    return bench.change((plan) => plan.move(version, { key: to, inBucket: false }));
  };

  test("copies, then deletes, with the source's etag", async () => {
    bench.store.set("a", "one");
    bench.queue.start(bench.events);
    await move("a", "b");
    expect(bench.queue.fate("b")).toBe("copy");
    expect(bench.queue.fate("a")).toBe("delete");
    await bench.queue.drained();
    expect(bench.store.log).toEqual(["COPY b", "DELETE a"]);
    expect(bench.store.contents()).toEqual({ b: "one" });
  });

  test("fails for good when the source was replaced, and then spares what replaced it", async () => {
    const failed = vi.fn<(reason: Error) => void>();
    bench.events.copyFailed = (_record, reason) => {
      failed(reason);
      return [];
    };
    bench.store.set("a", "one");
    await move("a", "b");
    bench.store.set("a", "someone else's");
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(failed).toHaveBeenCalledOnce();
    expect(bench.store.contents()).toEqual({ a: "someone else's" });
    expect(bench.state.journal.size).toBe(0);
  });

  test("is done when the source is gone and the target is the version", async () => {
    const { data } = bench.store.set("a", "one");
    await move("a", "b");
    bench.store.set("b", data.toString());
    bench.store.objects.delete("a");
    const copied = vi.fn<() => readonly never[]>(() => []);
    bench.events.copied = copied;
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(copied).toHaveBeenCalledOnce();
    expect(bench.store.contents()).toEqual({ b: "one" });
  });

  test("does not believe a bare 404 of the source", async () => {
    const { etag, data } = bench.store.set("a", "one");
    await move("a", "b");
    let lies = 1;
    bench.store.before = (verb, key) => {
      if (lies === 0) bench.store.objects.set("a", { etag, data });
      if (verb === "COPY" && lies-- > 0) throw new FsError("ENOENT", "no such key");
      if (verb === "HEAD" && key === "a") bench.store.objects.delete("a");
      if (verb === "LIST") bench.store.objects.set("a", { etag, data });
    };
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ b: "one" });
  });
});

describe("a plan", () => {
  test("restores everything when it is rolled back", async () => {
    bench.store.set("a", "old");
    await bench.put("a", "one", true);
    await bench.put("b", "two");
    const before = new Map(bench.state.journal);
    bench.state.before = () => {
      throw new FsError("ENOSPC", "full");
    };
    const renamed = bench.change((plan) => {
      plan.delete("a", true);
      plan.put({ key: "b", staged: "unused", size: 1, inBucket: false });
    });
    await expect(renamed).rejects.toMatchObject({ code: "ENOSPC" });
    bench.state.before = () => undefined;
    expect(bench.state.journal).toEqual(before);
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ a: "one", b: "two" });
  });

  test("cancel() withdraws an upload, and sends the delete that it had replaced", async () => {
    bench.store.set("a", "old");
    bench.store.set("b", "old");
    await bench.change((plan) => plan.delete("a", true));
    const a = await bench.put("a", "one");
    const b = await bench.put("b", "one", true);
    await bench.change((plan) => {
      plan.cancel("a", a);
      plan.cancel("b", b);
      plan.cancel("b", "not this one");
    });
    bench.queue.start(bench.events);
    await bench.queue.drained();
    expect(bench.store.contents()).toEqual({ b: "old" });
    expect(await isGone(bench.spool, a)).toBe(true);
  });
});
