import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { QueueRecord } from "../../../src/state/queue-record.ts";
import type { Operation } from "../../../src/spool/operation.ts";
import { QueueScheduler } from "../../../src/spool/queue-scheduler.ts";

let seq = 0;
const ends: (() => void)[] = [];
const started: Operation[] = [];
let scheduler: QueueScheduler;
let isAwaited = false;

function newOperation(kind: "delete" | "put"): Operation {
  seq += 1;
  const key = `k${seq}`;
  const record: QueueRecord =
    kind === "put" ? { kind, key, staged: key, size: 1 } : { kind: "delete", key };
  return {
    seq,
    record,
    over: false,
    afterDelete: false,
    replaces: undefined,
    since: Date.now(),
    plan: undefined,
    cancelledBy: undefined,
    running: false,
    removed: false,
  };
}

/** What a caller's unlink(2) or close(2) does. */
function add(kind: "delete" | "put" = "delete"): Operation {
  const operation = newOperation(kind);
  scheduler.offer(operation);
  scheduler.pump();
  return operation;
}

beforeEach(() => {
  vi.useFakeTimers();
  isAwaited = false;
  started.length = 0;
  ends.length = 0;
  scheduler = new QueueScheduler(16, {
    limit: () => Infinity,
    hasFailed: () => false,
    prefersUntried: () => false,
    isAwaited: () => isAwaited,
    mayStart: (operation) => !operation.running,
    prepare: () => undefined,
    run: (operation) => {
      started.push(operation);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  scheduler.start();
});

afterEach(() => {
  for (const end of ends) end();
  vi.useRealTimers();
});

test("while callers add deletes, four run; when nobody does, all", async () => {
  for (let i = 0; i < 20; i += 1) {
    add();
    vi.advanceTimersByTime(5);
  }
  expect(started).toHaveLength(4);
  ends.shift()?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(started.map((operation) => operation.seq)).toEqual(
    started.map((_, i) => (started[0]?.seq ?? 0) + i),
  );
  expect(started).toHaveLength(5);
  await vi.advanceTimersByTimeAsync(60);
  expect(started).toHaveLength(20);
});

test("an upload does not wait behind deletes that give way", () => {
  for (let i = 0; i < 20; i += 1) add();
  const upload = add("put");
  expect(started).toContain(upload);
});

test("after two seconds deletes run whoever waits", async () => {
  for (let i = 0; i < 250; i += 1) {
    add();
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(started).toHaveLength(32);
});

test("while callers close files, two uploads run; when nobody does, all", async () => {
  for (let i = 0; i < 12; i += 1) {
    add("put");
    vi.advanceTimersByTime(5);
  }
  expect(started).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(60);
  expect(started).toHaveLength(12);
});

test("uploads of files that are closed now and then start at once", async () => {
  for (let i = 0; i < 12; i += 1) {
    add("put");
    await vi.advanceTimersByTimeAsync(16);
  }
  expect(started).toHaveLength(12);
});

test("uploads do not give way when someone waits for the queue", () => {
  isAwaited = true;
  for (let i = 0; i < 12; i += 1) add("put");
  expect(started).toHaveLength(12);
});
