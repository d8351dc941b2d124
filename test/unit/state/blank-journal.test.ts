import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, onTestFinished, test } from "vitest";
import { openMountState } from "../../../src/state/open-mount-state.ts";

const identity = "test";

test.each([0, 8192])(
  "a journal of %d zeros is one that a first start had no time to begin, unless there is an index",
  async (size) => {
    const { path: directory, cleanup } = await dir({ unsafeCleanup: true });
    onTestFinished(() => cleanup());
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "journal.mdb"), Buffer.alloc(size));
    await writeFile(join(directory, "journal.mdb-lock"), "");
    let asked = 0;
    const onNew = async (): Promise<void> => {
      asked += 1;
    };
    const state = await openMountState({ directory, identity, onNew });
    await state.close();
    expect(asked).toBe(1);
    await truncate(join(directory, "journal.mdb"), 0);
    await expect(openMountState({ directory, identity })).rejects.toMatchObject({ code: "EIO" });
  },
);
