import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import type { Operation } from "../../../src/spool/operation.ts";
import { QueueGraph } from "../../../src/spool/queue-graph.ts";
import { RetrySchedule } from "../../../src/spool/retry-schedule.ts";
import { isRefused, s3Error } from "./memory-store.ts";

let schedule: RetrySchedule;
let graph: QueueGraph;
let woken: Operation[] = [];

beforeEach(() => {
  setLogSink(() => undefined, "plain");
  vi.useFakeTimers();
  // the longest that a pause can be
  vi.spyOn(Math, "random").mockReturnValue(0.999);
  woken = [];
  graph = new QueueGraph();
  const on = {
    wake: (operation: Operation) => void woken.push(operation),
    resume: () => undefined,
  };
  schedule = new RetrySchedule({ isRefused }, on);
});

afterEach(() => {
  schedule.stop();
  vi.restoreAllMocks();
  vi.useRealTimers();
  setLogSink((line) => process.stderr.write(line), "plain");
});

function upload(key: string): Operation {
  const record = { kind: "put", key, staged: key, size: 1 } as const;
  return graph.add({ seq: graph.size + 1, record, over: false });
}

function refuse(operation: Operation): void {
  schedule.failed(operation, s3Error("Access Denied", true), performance.now());
}

/** Refuses each attempt for so long; resolves to the longest pause of anyone since half of that time. */
async function refuseFor(operations: readonly Operation[], ms: number): Promise<number> {
  const startedAt = performance.now();
  const lastTry = new Map(operations.map((operation) => [operation, startedAt]));
  let longest = 0;
  for (const operation of operations) refuse(operation);
  while (performance.now() - startedAt < ms) {
    await vi.advanceTimersByTimeAsync(100);
    const now = performance.now();
    for (const operation of woken.splice(0)) {
      const pause = now - (lastTry.get(operation) ?? 0);
      if (now - startedAt > ms / 2) longest = Math.max(longest, pause);
      lastTry.set(operation, now);
      refuse(operation);
    }
    for (const at of lastTry.values())
      longest = Math.max(longest, now - startedAt > ms / 2 ? now - at : 0);
  }
  return longest;
}

test.each([
  [60, 6.2],
  [300, 30.2],
  [3600, 60.2],
])(
  "too few refusals for an outage: after %d s without a success each is asked again within %d s",
  async (outageS, pauseS) => {
    const operations = ["a", "b", "c"].map(upload);
    const longest = await refuseFor(operations, outageS * 1000);
    expect(schedule.outage.isOn).toBe(false);
    expect(longest).toBeLessThanOrEqual(pauseS * 1000);
    // nor are they asked all the time
    expect(longest).toBeGreaterThan(0.8 * pauseS * 1000);
  },
);

test("what was refused is asked again as soon as something else that was refused succeeds", async () => {
  const [a, b, c] = [upload("a"), upload("b"), upload("c")];
  const longest = refuseFor([a, b, c], 3_600_000);
  await longest;
  await vi.advanceTimersByTimeAsync(20_000);
  woken = [];
  schedule.succeeded(a);
  expect(woken.length).toBeGreaterThan(0);
  expect(woken).not.toContain(a);
});

test("a key that is refused while others succeed is asked once a minute, and holds nobody up", async () => {
  const [refused, other] = [upload("refused"), upload("other")];
  refuse(refused);
  await vi.advanceTimersByTimeAsync(10);
  schedule.succeeded(other);
  for (let i = 0; i < 10; i += 1) {
    schedule.wake(refused);
    refuse(refused);
  }
  woken = [];
  schedule.succeeded(other);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(woken).toEqual([]);
  expect(schedule.outage.limit).toBe(Infinity);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(woken).toEqual([refused]);
});
