// Random operations on the core and on a file system in memory must have the same outcome, whatever is cached.
import { afterEach, expect, test } from "vitest";
import { Random } from "../support/random.ts";
import { startCore, type TestCore } from "../support/core.ts";
import { MemoryFileSystem } from "../support/memory-file-system.ts";
import { outcome, randomStep, wholeTree } from "./operations.ts";

/** Seeds that failed once stay here. */
const KEPT_SEEDS: readonly number[] = [];
const SEEDS = Array.from({ length: 40 }, (_, i) => i + 1);
const OBJECT_SEEDS = Array.from({ length: 20 }, (_, i) => i + 1001);
const DELAY_SEEDS = Array.from({ length: 12 }, (_, i) => i + 2001);
const STEPS = 200;

let open: TestCore | undefined;

afterEach(async () => {
  await open?.close();
  open = undefined;
});

test.each([
  ...[...KEPT_SEEDS, ...SEEDS].map((seed) => ({ seed, metadata: "index", delay: "0" })),
  ...OBJECT_SEEDS.map((seed) => ({ seed, metadata: "object", delay: "0" })),
  // one that never ends, and one that ends all the time
  ...DELAY_SEEDS.map((seed) => ({ seed, metadata: "index", delay: seed % 2 ? "1h" : "20ms" })),
])(
  "the core does what a file system in memory does, seed $seed, metadata=$metadata, delete_delay=$delay",
  async ({ seed, metadata, delay }) => {
    const random = new Random(seed);
    const options = random.chance(50) ? { "stat-cache-ttl": "0", "negative-ttl": "0" } : {};
    const test = await startCore({ ...options, metadata, "delete-delay": delay });
    open = test;
    const model = new MemoryFileSystem();
    const done: string[] = [];
    for (let i = 0; i < STEPS; i += 1) {
      const step = randomStep(random);
      const expected = await outcome(model, step);
      const got = await outcome(test.core.fileSystem, step);
      done.push(`${step.line} -> ${expected.slice(0, 60)}`);
      expect(
        got,
        `step ${i} of seed ${seed}: ${step.line}\nafter ${done.slice(-12).join("\n")}`,
      ).toBe(expected);
      if (random.chance(4)) await test.core.drained();
      if (random.chance(2)) {
        const emptyCache = random.chance(50);
        await test.reopen({ emptyCache, lostIndex: delay !== "0" && random.chance(50) });
      }
    }
    expect(await wholeTree(test.core.fileSystem)).toEqual(await wholeTree(model));
    await test.core.drained();
    await test.core.fileSystem.removals.expire(["/"]);
    // with metadata=object the bucket alone tells everything
    await test.reopen({ emptyCache: true, freshState: metadata === "object" });
    expect(await wholeTree(test.core.fileSystem)).toEqual(await wholeTree(model));
  },
  60_000,
);
