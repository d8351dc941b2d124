import { expect, test, vi } from "vitest";
import { TimeSlices } from "../../../src/fs/crawl/time-slices.ts";

/** Counts turns of the event loop until `end` is called. */
function countTurns(): { now: () => number; end: () => void } {
  let turns = 0;
  let isOver = false;
  const next = (): void => {
    turns += 1;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  return { now: () => turns, end: () => (isOver = true) };
}

test("one piece of work is done in each turn of the event loop, in the order asked for", async () => {
  const slices = new TimeSlices();
  const turns = countTurns();
  const done: { who: string; turn: number }[] = [];
  const work = async (who: string): Promise<void> => {
    for (let piece = 0; piece < 3; piece += 1) {
      await slices.turn();
      done.push({ who, turn: turns.now() });
    }
  };
  await Promise.all([work("a"), work("b"), work("c")]);
  turns.end();
  expect(done.map(({ who }) => who).join("")).toBe("abcabcabc");
  expect(new Set(done.map(({ turn }) => turn)).size).toBe(9);
});

test("a slice ends", async () => {
  const slices = new TimeSlices();
  await slices.turn();
  await vi.waitFor(() => expect(slices.pause()).toBeInstanceOf(Promise), 10_000);
});
