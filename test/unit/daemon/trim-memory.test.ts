import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepMemoryTrimmed } from "../../../src/daemon/trim-memory.ts";

const MIB = 2 ** 20;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("keepMemoryTrimmed() trims once started, and again only after growth, until stopped", async () => {
  let resident = 100 * MIB;
  const trim = vi.fn<() => Promise<void>>(async () => void (resident = 70 * MIB));
  const stop = keepMemoryTrimmed(trim, () => resident);
  await vi.advanceTimersByTimeAsync(1000);
  expect(trim).toHaveBeenCalledTimes(1);
  resident = 73 * MIB;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(trim).toHaveBeenCalledTimes(1);
  resident = 200 * MIB;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(trim).toHaveBeenCalledTimes(2);
  stop();
  resident = 300 * MIB;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(trim).toHaveBeenCalledTimes(2);
});

test("keepMemoryTrimmed() goes on after a failure", async () => {
  const trim = vi.fn<() => Promise<void>>(() => Promise.reject(new Error("no")));
  const stop = keepMemoryTrimmed(trim, () => 100 * MIB);
  await vi.advanceTimersByTimeAsync(61_000);
  expect(trim).toHaveBeenCalledTimes(3);
  stop();
});
