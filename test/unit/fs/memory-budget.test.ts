// Who gets memory for reads, and whose bytes go for it.
import { expect, test } from "vitest";
import { type Evictable, MemoryBudget } from "../../../src/fs/reading/memory-budget.ts";

/** Ten bytes that were reserved; tells when they are gone. */
class Ten implements Evictable {
  readonly bytes = 10;
  lent: number;
  isGone = false;
  readonly #budget: MemoryBudget;

  constructor(budget: MemoryBudget, lent = 0) {
    this.#budget = budget;
    this.lent = lent;
  }

  evict(): void {
    this.isGone = true;
    this.#budget.withdraw(this);
    this.#budget.release(this.bytes);
  }
}

/** A budget of 40 bytes, its clock, and what it holds: four times ten, of which so many were lent. */
function full(...lent: number[]): { budget: MemoryBudget; items: Ten[]; clock: { ms: number } } {
  const clock = { ms: 0 };
  const budget = new MemoryBudget(40, () => clock.ms);
  const items = lent.map((count) => {
    budget.reserve(10, true);
    const item = new Ten(budget, count);
    budget.offer(item);
    return item;
  });
  return { budget, items, clock };
}

test("reading ahead takes three quarters at most", () => {
  const budget = new MemoryBudget(40);
  expect([1, 2, 3, 4].map(() => budget.reserve(10, false))).toEqual([true, true, true, false]);
  expect(budget.reserve(10, true)).toBe(true);
});

test("reading ahead drops what was read, not what a reader is about to come to", () => {
  const { budget, items, clock } = full(0, 5, 10, 10);
  expect(budget.reserve(10, false)).toBe(true);
  expect(items.map(({ isGone }) => isGone)).toEqual([false, false, true, true]);
  expect(budget.reserve(10, false)).toBe(false);
  // their readers went elsewhere
  clock.ms += 60_000;
  expect(budget.reserve(10, false)).toBe(true);
  expect(items.map(({ isGone }) => isGone)).toEqual([true, false, true, true]);
});

test("who waits for bytes takes those that no reader has begun before those that one is reading", () => {
  const { budget, items } = full(5, 0, 5, 5);
  expect(budget.grant(10, 0)).toBe(true);
  expect(items.map(({ isGone }) => isGone)).toEqual([false, true, false, false]);
});

test("a grant waits until memory is given back, first come first served", async () => {
  const { budget, items } = full(5, 5, 5, 5);
  const order: string[] = [];
  const first = Promise.resolve(budget.grant(20, 60_000)).then(() => order.push("first"));
  const second = Promise.resolve(budget.grant(10, 60_000)).then(() => order.push("second"));
  items[0]?.evict();
  // ten bytes would do for the second
  await Promise.resolve();
  expect(order).toEqual([]);
  items[1]?.evict();
  await first;
  items[2]?.evict();
  await second;
  expect(order).toEqual(["first", "second"]);
});

test("a grant that no memory comes for is refused in the end, and then what is being read goes", async () => {
  const { budget, items } = full(5, 5, 5, 5);
  expect(await budget.grant(10, 5)).toBe(false);
  expect(budget.reserve(10, true)).toBe(true);
  expect(items.map(({ isGone }) => isGone)).toEqual([true, false, false, false]);
});

test("what is dropped for one caller is not granted to another", async () => {
  const { budget, items } = full(5, 5, 5, 5);
  const granted = budget.grant(10, 20);
  // a small read takes its ten bytes whatever happens
  expect(budget.reserve(10, true)).toBe(true);
  expect(await granted).toBe(false);
  expect(items.filter(({ isGone }) => isGone)).toHaveLength(1);
});
