import { expect, test } from "vitest";
import { Random } from "../../support/random.ts";
import { QueueModel } from "./queue-model.ts";

function run(seed: number, steps: number, describes = false): void {
  const keys = ["a", "b", "c", "d"].slice(0, 2 + (seed % 3));
  const model = new QueueModel(new Random(seed), keys, describes);
  try {
    for (let step = 0; step < steps; step++) model.step();
    model.drain();
    const { bucket, names, metadata, said } = model.result();
    expect(bucket).toEqual(names);
    expect(metadata).toEqual(said);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${reason}\n${model.trace.slice(-60).join("\n")}`, {
      cause: error,
    });
  }
}

test("random plans, failures and crashes end with the bucket equal to the names", () => {
  const all = (): void => {
    for (let seed = 1; seed <= 1500; seed++) run(seed, 80);
  };
  expect(all).not.toThrow();
});

test("so do they with names that get new metadata", () => {
  const all = (): void => {
    for (let seed = 700000; seed <= 1700000; seed++) run(seed, 120, true);
  };
  expect(all).not.toThrow();
});

// found among the first million
test.each([
  ["a name came back while its first upload ran", 141],
  ["a failed attempt had left an object", 396],
  ["a cancelled copy came back into the journal", 17_465],
  ["a crash between a copy and the record of its etag", 22_846],
  ["a copy ended while what followed it was being cancelled", 71_782],
  ["a name on its way back to its own key left it again", 176_767],
  ["the same, for the key that held its bytes meanwhile", 190_510],
])("%s (seed %i)", (_what, seed) => {
  expect(() => run(seed, 120)).not.toThrow();
});

test.each([
  ["a rename waited for two changes of metadata", 572],
  ["a change that had begun was cancelled by a rename back", 17_806],
  ["a name on its way back to its own key was described, and left it again", 625_538],
])("%s (seed %i)", (_what, seed) => {
  expect(() => run(seed, 120, true)).not.toThrow();
});
