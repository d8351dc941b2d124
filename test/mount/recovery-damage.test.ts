// Damaged files of the daemon's own: what can be had again is, what cannot is refused, and no byte that was acknowledged
// is lost or wrong.
import { open, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { recordDurability } from "../support/durability-report.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, isAlive, md5, Place, signal } from "./daemon-fixture.ts";

/** What a bad disk leaves of a file. */
const damages: Record<string, (path: string) => Promise<void>> = {
  "is missing": (path) => rm(path),
  "is empty": (path) => truncate(path),
  "is cut in half": async (path) => truncate(path, Math.floor((await stat(path)).size / 2)),
  "is zeroed": async (path) => writeFile(path, Buffer.alloc((await stat(path)).size)),
  "is random": async (path) => writeFile(path, bytes((await stat(path)).size)),
  "has a page of something else": (path) => overwrite(path, 2 * 4096, bytes(4096)),
};
const isFull = process.env["PAILFS_TEST_FULL"] === "1";
/** What takes the same way through the checks as another is left to the full run. */
const rows = Object.entries(damages).filter(
  ([name]) => isFull || !["is empty", "is zeroed"].includes(name),
);
let tried = 0;
let failed = 0;

afterAll(() =>
  recordDurability({
    event: "databases damaged while the daemon is dead",
    promise:
      "index and cache are built anew; a journal is used whole or refused; no acknowledged byte is lost",
    tried,
    failed,
    note: `journal, index and cache, each ${rows.map(([name]) => name).join(", ")}`,
  }),
);

async function overwrite(path: string, offset: number, data: Uint8Array): Promise<void> {
  const file = await open(path, "r+");
  await file.write(data, 0, data.length, offset);
  await file.close();
}

interface Killed {
  readonly place: Place;
  readonly state: string;
  readonly cache: string;
  readonly files: ReadonlyMap<string, string>;
}

/** A daemon was killed with a file in the bucket and the cache, and one that waits; S3 is there again. */
async function killed(): Promise<Killed> {
  const place = await Place.mounted();
  const files = new Map<string, string>();
  const write = async (name: string): Promise<void> => {
    const content = bytes(50_000);
    await writeFile(place.path(name), content);
    files.set(name, md5(content));
  };
  await write("d/uploaded");
  await place.umount();
  const pid = await place.mount();
  await readFile(place.path("d/uploaded"));
  await place.stopServer();
  await write("d/pending");
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  await place.startServer();
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  const folderIn = async (path: string): Promise<string> =>
    join(path, (await readdir(path))[0] ?? "");
  return { place, files, state: await folderIn(place.state), cache: await folderIn(place.cache) };
}

async function expectAll({ place, files }: Killed): Promise<void> {
  for (const [name, digest] of files) {
    expect(md5(await readFile(place.path(name))), name).toBe(digest);
  }
  await place.umount();
  expect(await place.bucket()).toEqual(Object.fromEntries(files));
}

/** Whether each test held, for the table. */
async function count(work: () => Promise<void>): Promise<void> {
  tried += 1;
  try {
    await work();
  } catch (error) {
    failed += 1;
    throw error;
  }
}

test.each(rows)("an index of names or of the cache that %s is built anew", async (_, damage) => {
  const all = await killed();
  const databases = (await readdir(all.cache)).filter((name) => name.endsWith(".mdb"));
  expect(databases).not.toEqual([]);
  await count(async () => {
    await damage(join(all.state, "index.mdb"));
    for (const name of databases) await damage(join(all.cache, name));
    await all.place.mount();
    await expectAll(all);
  });
});

test.each(rows)(
  "with a journal that %s nothing is published that was not promised, and the bytes are kept",
  async (_, damage) => {
    const { place, state, files } = await killed();
    await count(async () => {
      await damage(join(state, "journal.mdb"));
      const ended = await place.pailfs(...place.mountArguments());
      const isRefused = ended.code !== 0;
      if (isRefused) {
        expect(ended).toMatchObject({ stdout: "" });
        expect(ended.stderr).toMatch(
          /^pailfs: Cannot use the journal [^\n]*restore it from [^\n]*\n$/,
        );
        expect(await place.isMounted()).toBe(false);
      } else {
        await place.daemonPid();
        await place.umount();
      }
      const kept = isRefused ? "spool" : "quarantine";
      const found = (await readdir(join(state, kept))).filter((name) => !name.endsWith(".json"));
      const digests = found.map(async (name) => md5(await readFile(join(state, kept, name))));
      const bucket = await place.bucket();
      expect([...(await Promise.all(digests)), bucket["d/pending"]]).toContain(
        files.get("d/pending"),
      );
      expect(bucket["d/uploaded"]).toBe(files.get("d/uploaded"));
    });
  },
);

test("a cached file that has changed on the disk is fetched again", async () => {
  const all = await killed();
  const objects = join(all.cache, "objects");
  let changed = 0;
  for (const name of await readdir(objects, { recursive: true })) {
    const path = join(objects, name);
    if (!(await stat(path)).isFile()) continue;
    await overwrite(path, 12_345, Buffer.from("flipped"));
    changed += 1;
  }
  expect(changed).toBeGreaterThan(0);
  await all.place.mount();
  await all.place.admin("reset", {});
  expect(md5(await readFile(all.place.path("d/uploaded")))).toBe(all.files.get("d/uploaded"));
  const counts = (await all.place.admin("counts")) as Record<string, number>;
  expect(counts["GET"]).toBe(1);
  await expectAll(all);
});

test("staged files that nothing refers to are removed, and nothing else is", async () => {
  const all = await killed();
  const spool = join(all.state, "spool");
  await writeFile(join(spool, "0mabcdefg-0000001"), "never closed");
  await writeFile(join(spool, "README"), "mine");
  await all.place.mount();
  expect(await readdir(spool)).not.toContain("0mabcdefg-0000001");
  await expectAll(all);
  expect(await readdir(spool)).toEqual(["README"]);
});
