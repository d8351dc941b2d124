// Memory that is used again: not while somebody may look at it, and no more than was allowed.
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { ReadBuffers } from "../../../src/fs/reading/read-buffers.ts";

test("what was lent in an earlier turn is used again at once", async () => {
  const buffers = new ReadBuffers(10, 40);
  const memory = buffers.take(20);
  const { turn } = buffers;
  await nextTurn();
  buffers.give(memory, turn);
  expect(buffers.take(10)).not.toBe(memory);
  expect(buffers.take(20)).toBe(memory);
});

test("what was lent in this turn is not used again in it", async () => {
  const buffers = new ReadBuffers(10, 40);
  const memory = buffers.take(20);
  buffers.give(memory, buffers.turn);
  expect(buffers.take(20)).not.toBe(memory);
  await nextTurn();
  expect(buffers.take(20)).toBe(memory);
});

test("beyond the limit, and of sizes that seldom come again, nothing is kept", async () => {
  const buffers = new ReadBuffers(10, 40);
  const taken = [1, 2, 3, 4, 5].map(() => buffers.take(10));
  const odd = buffers.take(15);
  await nextTurn();
  for (const memory of [...taken, odd]) buffers.give(memory, -1);
  const again = [1, 2, 3, 4, 5].map(() => buffers.take(10));
  expect(again.filter((memory) => taken.includes(memory))).toHaveLength(4);
  expect(buffers.take(15)).not.toBe(odd);
});

test("spare memory of one size makes room for another", async () => {
  const buffers = new ReadBuffers(10, 40);
  const small = [1, 2, 3, 4].map(() => buffers.take(10));
  for (const memory of small) buffers.give(memory, -1);
  buffers.take(30);
  const again = [1, 2, 3, 4].map(() => buffers.take(10));
  expect(again.filter((memory) => small.includes(memory))).toHaveLength(1);
});
