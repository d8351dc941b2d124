// The cost promise: how many requests each operation makes, by verb. requests.md is what was promised; after a change
// that is meant, write it anew with PAILFS_UPDATE_GOLDEN=1.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import { startCore, type TestCore } from "../support/core.ts";
import { type Action, calls, synapse } from "./actions.ts";
import { fillBucket, topLevel } from "./bucket-of-synapse.ts";
import { renderCost } from "./cost.ts";
import { describeCounts, type Golden, parseGolden, renderGolden } from "./golden-table.ts";
import { modes } from "./modes.ts";

const file = new URL("requests.md", import.meta.url);
const costFile = new URL("../../docs/COST.md", import.meta.url);
const isUpdating = process.env["PAILFS_UPDATE_GOLDEN"] === "1";
const promised: Golden = isUpdating ? new Map() : parseGolden(await readFile(file, "utf8"));
const measured: Golden = new Map();

async function count(mode: (typeof modes)[number], action: Action): Promise<string> {
  const core: TestCore = await startCore({ "negative-ttl": "60s", ...mode.options }, fillBucket);
  try {
    const driver = (): PosixDriver => fileSystemDriver(core.core.fileSystem);
    await mode.prepare(core, driver, { topLevel, action });
    core.s3.reset();
    await action.run(driver());
    await core.core.drained();
    return describeCounts(core.s3.counts);
  } finally {
    await core.close();
  }
}

const groups = { "Single calls": calls, "What Synapse does": synapse };

describe.each(Object.entries(groups))("%s", (group, actions) => {
  describe.each(actions.map((action) => ({ name: action.name, action })))("$name", ({ action }) => {
    test.each(modes.map((mode) => ({ name: mode.name, mode })))("$name", async ({ mode }) => {
      const counts = await count(mode, action);
      const row = measured.get(`${group}/${action.name}`) ?? {};
      measured.set(`${group}/${action.name}`, { ...row, [mode.name]: counts });
      if (!isUpdating) expect(counts).toBe(promised.get(`${group}/${action.name}`)?.[mode.name]);
    });
  });
});

test("nothing is promised that is not measured", () => {
  if (isUpdating) return;
  expect([...promised.keys()].toSorted()).toEqual([...measured.keys()].toSorted());
});

test("docs/COST.md is made of these numbers", async () => {
  if (isUpdating) return;
  expect(await readFile(costFile, "utf8")).toBe(renderCost(promised, modes));
});

afterAll(async () => {
  if (!isUpdating) return;
  await writeFile(file, renderGolden(measured, modes));
  await writeFile(costFile, renderCost(measured, modes));
});
