// Removed objects in the journal, against a plain map: what is pending, what is durable, and what a failed commit takes back.
import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, test } from "vitest";
import { compareBytewise } from "../../../src/posix/byte-order.ts";
import type { MountState, RemovedObject } from "../../../src/state/mount-state.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { Random } from "../../support/random.ts";
import { fileEntry } from "./entries.ts";

const names = ["a", "a/b", "a/c", "a-b", "ä", "z/1", "z/2", "z/2/3", "zz"];

function expectSame(state: MountState, model: ReadonlyMap<string, RemovedObject>): void {
  const { removed } = state;
  const all = [...model.values()];
  const byKey = all.toSorted((x, y) => compareBytewise(x.key, y.key));
  expect(removed.count).toBe(all.length);
  expect(removed.bytes).toBe(all.reduce((sum, { entry }) => sum + (entry?.size ?? 0), 0));
  for (const name of names) expect(removed.get(name)).toEqual(model.get(name));
  expect(removed.list("", "", 100)).toEqual(byKey);
  for (const prefix of ["a", "a/", "z/2", "q"]) {
    const below = byKey.filter(({ key }) => key.startsWith(prefix));
    expect(removed.list(prefix, "", 100)).toEqual(below);
    expect(removed.list(prefix, "", 1)).toEqual(below.slice(0, 1));
    expect(removed.anyBelow(prefix)).toBe(below.length > 0);
    const [first] = below;
    if (first) expect(removed.list(prefix, first.key, 100)).toEqual(below.slice(1));
  }
  const times = all.map(({ notBefore }) => notBefore).sort((x, y) => x - y);
  expect(removed.earliest(3).map(({ notBefore }) => notBefore)).toEqual(times.slice(0, 3));
  expect(removed.latest()?.notBefore).toBe(times.at(-1));
}

test.each([1, 2, 3, 4])("removed objects are those of a plain map (seed %d)", async (seed) => {
  const random = new Random(seed);
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  const options = { directory: join(path, "state"), identity: "test" };
  const model = new Map<string, RemovedObject>();
  let state = await openMountState(options);
  try {
    for (let step = 0; step < 150; step += 1) {
      const key = names[random.integer(names.length)] ?? "";
      const removedMs = 1_700_000_000_000 + random.integer(1000);
      const notBefore = removedMs + random.integer(1000);
      const entry = fileEntry({ ino: state.nextIno(), size: random.integer(100) });
      const record: RemovedObject | undefined =
        random.integer(3) === 0
          ? undefined
          : {
              key,
              removedMs,
              notBefore,
              ...(random.integer(2) === 0 ? { etag: `e${step}` } : {}),
              ...(random.integer(2) === 0 ? { entry } : {}),
            };
      if (record) model.set(key, record);
      else model.delete(key);
      const durable = state.mutate({ removed: [{ key, record }] });
      if (random.integer(3) === 0) await durable;
      if (step % 10 === 0) expectSame(state, model);
      if (random.integer(40) === 0) {
        await state.close();
        state = await openMountState({ ...options, bootId: `boot ${step}` });
        expectSame(state, model);
      }
    }
    expectSame(state, model);
  } finally {
    await state.close();
    await cleanup();
  }
});
