import { expect, test } from "vitest";
import { Random } from "../../support/random.ts";
import { QueueModel } from "./queue-model.ts";

const seeds = 1500;
const steps = 80;

test("random plans, failures and crashes end with the bucket equal to the names", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Random(seed);
    const model = new QueueModel(random, ["a", "b", "c", "d"].slice(0, 2 + (seed % 3)));
    try {
      for (let step = 0; step < steps; step++) model.step();
      model.drain();
      const { bucket, names } = model.result();
      expect(bucket).toEqual(names);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}: ${reason}\n${model.trace.slice(-60).join("\n")}`, {
        cause: error,
      });
    }
  }
});
