import { chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readMountRecords, writeMountRecord } from "../../../src/daemon/mount-record.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const record = {
  mountpoint: "/mnt",
  source: "bucket",
  pid: process.pid,
  socketPath: "/state/socket",
  startedMs: 5,
};

test("a record is found again, newest first, and what is none is left out", async () => {
  const directory = join(await temporaryDirectory(), "run");
  await writeMountRecord([directory], record);
  const later = { ...record, mountpoint: "/other", startedMs: 6, umountWaitMs: 7 };
  await writeMountRecord([directory], later);
  for (const text of ["null", "{", '{"mountpoint": 3}']) {
    await writeFile(join(directory, `${text.length}.json`), text);
  }
  expect(await readMountRecords([directory, "/nowhere"])).toEqual([later, record]);
});

// needs a directory of somebody else's
test.skipIf(process.geteuid?.() !== 0)(
  "a directory that somebody else made in our name is neither written nor read",
  async () => {
    const top = await temporaryDirectory();
    const [theirs, ours] = [join(top, "theirs"), join(top, "ours")];
    await mkdir(theirs, { mode: 0o777 });
    await chown(theirs, 1, 1);
    await writeFile(join(theirs, "x.json"), JSON.stringify(record));
    expect(await readMountRecords([theirs])).toEqual([]);
    expect(await writeMountRecord([theirs], record)).toBeUndefined();
    expect(await writeMountRecord([theirs, ours], record)).toContain(ours);
    expect(await readdir(theirs)).toEqual(["x.json"]);
  },
);
