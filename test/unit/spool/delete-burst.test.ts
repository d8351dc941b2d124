import { expect, test, vi } from "vitest";
import { BurstWatch } from "../../../src/spool/delete-burst.ts";
import { log } from "../../../src/log.ts";

const MINUTE = 60_000;

function watchOf(threshold: number, delayMs: number) {
  const warn = vi.spyOn(log, "warn").mockImplementation(() => undefined);
  warn.mockClear();
  const world = { now: 1_000_000, delayed: 0 };
  const host = { threshold, delayMs, delayed: () => world.delayed };
  const watch = new BurstWatch(host, () => world.now);
  const remove = (count: number): void => {
    world.delayed += delayMs > 0 ? count : 0;
    for (let i = 0; i < count; i += 1) watch.note([`k${i}`]);
  };
  return { watch, world, remove, warn };
}

test("more names than the threshold within ten minutes are told once, with the first of them", () => {
  const { watch, world, remove, warn } = watchOf(10, 1000);
  remove(6);
  world.now += 5 * MINUTE;
  remove(4);
  expect(watch.burst).toBeUndefined();
  expect(warn).not.toHaveBeenCalled();
  remove(5);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(watch.burst).toEqual({
    count: 15,
    sinceMs: 1_000_000,
    lastMs: world.now,
    first: ["k0", "k1", "k2"],
  });
});

test("names that are removed slowly are no burst", () => {
  const { watch, world, remove } = watchOf(10, 1000);
  for (let i = 0; i < 20; i += 1) {
    remove(4);
    world.now += 5 * MINUTE;
  }
  expect(watch.burst).toBeUndefined();
});

test("a burst is over when it was undone or done, and the next one is told again", () => {
  const { watch, world, remove, warn } = watchOf(10, 1000);
  remove(11);
  world.now += 60 * MINUTE;
  expect(watch.burst).toMatchObject({ count: 11 });
  world.delayed = 0;
  expect(watch.burst).toBeUndefined();
  remove(11);
  expect(watch.burst).toMatchObject({ count: 11 });
  expect(warn).toHaveBeenCalledTimes(2);
});

test("without a delay it is told too, that nothing can be undone, for ten minutes", () => {
  const { watch, world, remove, warn } = watchOf(10, 0);
  remove(11);
  expect(warn.mock.calls[0]?.at(-1)).toMatch(/cannot be undone/);
  expect(watch.burst).toMatchObject({ count: 11 });
  world.now += 11 * MINUTE;
  expect(watch.burst).toBeUndefined();
});

test("threshold 0 is silence", () => {
  const { watch, remove, warn } = watchOf(0, 1000);
  remove(5000);
  expect(watch.burst).toBeUndefined();
  expect(warn).not.toHaveBeenCalled();
});
