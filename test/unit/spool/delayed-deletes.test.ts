import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, test } from "vitest";
import { DelayedDeletes } from "../../../src/spool/delayed-deletes.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

test("a name that was removed when the clock was years ahead does not wait for years", async () => {
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  const state = await openMountState({ directory: join(path, "state"), identity: "test" });
  const ahead = Date.now() + 10 * YEAR;
  const wrong = ["a", "b"].map((key) => ({ key, removedMs: ahead, notBefore: ahead + HOUR }));
  const right = { key: "c", removedMs: Date.now(), notBefore: Date.now() + HOUR };
  const removed = [...wrong, right].map((record) => ({ key: record.key, record }));
  await state.mutate({ removed });
  const delayed = new DelayedDeletes({
    state,
    delayMs: HOUR,
    burst: 0,
    plan: () => {
      throw new Error("Nothing is due");
    },
    drained: () => Promise.resolve(),
  });
  try {
    delayed.start();
    await waitUntil("all wait for an hour", () => {
      const left = ["a", "b", "c"].map(
        (key) => (state.removed.get(key)?.notBefore ?? 0) - Date.now(),
      );
      return left.every((ms) => ms > HOUR / 2 && ms <= HOUR);
    });
    expect(state.removed.get("c")).toEqual(right);
  } finally {
    delayed.stop();
    await state.close();
    await cleanup();
  }
});
