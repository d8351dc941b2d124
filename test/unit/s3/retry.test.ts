import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/s3/clock.ts";
import { Deadline, RetryState, parseRetryAfter, retryDelayMs } from "../../../src/s3/retry.ts";

class FakeClock implements Clock {
  time = 1_000;
  readonly slept: number[] = [];
  chance = 0.5;

  now(): number {
    return this.time;
  }

  random(): number {
    return this.chance;
  }

  async sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.time += ms;
  }
}

const later = { kind: "later" } as const;

describe("retryDelayMs()", () => {
  test("doubles its bound up to a cap, and is anything below", () => {
    expect([0, 1, 2, 3, 10, 1000].map((n) => retryDelayMs(n, 1))).toEqual([
      100, 200, 400, 800, 5000, 5000,
    ]);
    expect(retryDelayMs(3, 0)).toBe(0);
    expect(retryDelayMs(3, 0.25)).toBe(200);
  });
});

describe("parseRetryAfter()", () => {
  const now = Date.parse("2026-11-20T00:00:00Z");
  test.each([
    ["3", 3_000],
    ["0", 0],
    ["Fri, 20 Nov 2026 00:00:05 GMT", 5_000],
    ["Fri, 20 Nov 2025 00:00:05 GMT", 0],
    ["99999", 20_000],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%s is %s ms", (value, ms) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });
});

describe("RetryState", () => {
  test("again() waits longer each time and stops at the deadline", async () => {
    const clock = new FakeClock();
    const state = new RetryState(clock, new Deadline(clock, 2_000));
    let attempts = 1;
    while (await state.again(later, undefined)) attempts += 1;
    expect(clock.slept.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(clock.time - 1_000).toBeLessThanOrEqual(2_000);
    expect(attempts).toBeGreaterThan(5);
    expect(state.deadline.remainingMs).toBeLessThan(1);
  });

  test("again() waits as long as Retry-After says, but not past the deadline", async () => {
    const clock = new FakeClock();
    const state = new RetryState(clock, new Deadline(clock, 5_000));
    expect(await state.again({ kind: "later", retryAfterMs: 2_000 }, undefined)).toBe(true);
    expect(await state.again({ kind: "later", retryAfterMs: 9_000 }, undefined)).toBe(true);
    expect(clock.slept).toEqual([2_000, 2_700]);
  });

  test("again() does not wait after a correction, a few times at most", async () => {
    const clock = new FakeClock();
    const state = new RetryState(clock, new Deadline(clock, 10_000));
    for (let i = 0; i < 4; i += 1) {
      expect(await state.again({ kind: "corrected" }, undefined)).toBe(true);
    }
    expect(clock.slept).toEqual([]);
    expect(await state.again({ kind: "corrected" }, undefined)).toBe(true);
    expect(clock.slept).toHaveLength(1);
    expect(state.failedAttempts).toBe(5);
  });

  test("again() is false at once for what a retry cannot mend, and for the aborted", async () => {
    const clock = new FakeClock();
    const state = new RetryState(clock, new Deadline(clock, 10_000));
    expect(await state.again({ kind: "never" }, undefined)).toBe(false);
    expect(await state.again(later, AbortSignal.abort())).toBe(false);
    expect(clock.slept).toEqual([]);
  });
});

describe("Deadline", () => {
  test("progress starts it again, excluded time does not count", () => {
    const clock = new FakeClock();
    const deadline = new Deadline(clock, 100);
    clock.time += 60;
    expect(deadline.remainingMs).toBe(40);
    deadline.exclude(30);
    expect(deadline.remainingMs).toBe(70);
    deadline.progressed();
    expect(deadline.remainingMs).toBe(100);
    clock.time += 500;
    expect(deadline.remainingMs).toBe(0);
  });
});
