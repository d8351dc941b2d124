// State directories that cannot be used, or not for long: one line that names the value and the remedy, and the directory
// as it was.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { mountFolderName } from "../../src/options/mount-folder.ts";
import { Environment } from "../../src/lmdb/environment.ts";
import { Journal } from "../../src/state/journal.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, md5, Place, signal } from "./daemon-fixture.ts";
import { readOnlyAt, tmpfsAt } from "./tmpfs.ts";

const run = promisify(execFile);

/** Names and contents of everything below a directory, but for LMDB's lock files, which every look at them changes. */
async function contents(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const rows = found
    .filter(({ name }) => !name.endsWith("-lock"))
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const hash = createHash("sha256");
      if (entry.isFile()) hash.update(await readFile(path));
      return `${path} ${entry.isFile() ? hash.digest("hex") : "directory"}`;
    });
  return (await Promise.all(rows)).toSorted();
}

/** One line, the exit code, nothing mounted, nothing changed. */
async function expectRefused(place: Place, code: number, text: string): Promise<void> {
  const before = await contents(place.state);
  const ended = await place.pailfs(...place.mountArguments());
  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: [^\n]+\n$/);
  expect(ended.stderr).toContain(text);
  expect(ended.stderr).toContain("--state-dir");
  expect(await place.isMounted()).toBe(false);
  expect(await contents(place.state)).toEqual(before);
}

/** Mounts and unmounts once; resolves to the mount's folder in the state directory. */
async function usedState(place: Place): Promise<string> {
  await place.mount();
  await writeFile(place.path("f"), "kept");
  await place.umount();
  const [name = ""] = await readdir(place.state);
  return join(place.state, name);
}

test("a state directory with other files in it is refused and left as it is", async () => {
  const place = await Place.make();
  await mkdir(place.state);
  await writeFile(join(place.state, "thesis.txt"), "mine");
  const refused = `Cannot use state_dir=${place.state}: it holds files that are not pailfs's`;
  await expectRefused(place, 78, `${refused} ("thesis.txt" is there)`);
  await rm(join(place.state, "thesis.txt"));
  // a disk of its own, and another mount
  await mkdir(join(place.state, "lost+found"));
  await mkdir(join(place.state, "other-0123456789"));
  const own = join(place.state, mountFolderName(place.endpoint, "bucket", ""));
  await mkdir(own);
  await writeFile(join(own, "notes"), "mine");
  await expectRefused(place, 78, refused);
  await rm(own, { recursive: true });
  await place.mount();
  await place.umount();
  // what comes later must not keep a mount from its queue
  await writeFile(join(place.state, "thesis.txt"), "mine");
  await writeFile(join(own, "spool", "notes"), "mine");
  await place.mount();
  await place.umount();
  expect(await readFile(join(own, "spool", "notes"), "utf8")).toBe("mine");
});

test("the state of a newer pailfs, or of another bucket, is refused and left as it is", async () => {
  const place = await Place.make();
  const folder = await usedState(place);
  const other = join(place.state, mountFolderName(place.endpoint, "bucket", "below/"));
  await rename(folder, other);
  const below = place.mountArguments().map((word) => (word === "bucket" ? "bucket:below/" : word));
  const before = await contents(place.state);
  const ended = await place.pailfs(...below);
  expect(ended).toMatchObject({ code: 78, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: Cannot use the state in [^\n]*it belongs to [^\n]*\n$/);
  expect(ended.stderr).toContain("choose another --state-dir");
  expect(await contents(place.state)).toEqual(before);
  await rename(other, folder);

  const journal = new Journal(new Environment(join(folder, "journal.mdb"), { durable: true }));
  const meta = journal.readMeta();
  if (meta === undefined) throw new Error("The journal has no header");
  journal.setMeta({ ...meta, schema: 99 });
  await journal.append({ attributes: [], enqueue: [], dequeue: [] });
  await journal.close();
  await expectRefused(place, 78, "a newer pailfs wrote it (schema 99");
});

test("a state directory in memory is used with a warning", async () => {
  const place = await Place.make();
  await tmpfsAt(place.state, "32M");
  const ended = await place.pailfs(...place.mountArguments());
  expect(ended).toMatchObject({ code: 0, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: state_dir=[^\n]* lies in memory [^\n]*--state-dir\n$/);
  await place.daemonPid();
  await writeFile(place.path("f"), "used");
  await place.umount();
  expect(await place.bucket()).toEqual({ f: md5("used") });
});

test("a state directory without room is refused with 75; one with little room is used with a warning", async () => {
  const place = await Place.make();
  // more than the databases reserve, and what min_free keeps of it
  await tmpfsAt(place.state, "32M");
  const filler = join(place.state, ".filler");
  // to the last block
  await run("sh", ["-c", `cat /dev/zero > "$1" || true`, "sh", filler]);
  await expectRefused(
    place,
    75,
    `Cannot use state_dir=${place.state}: it cannot be written (ENOSPC`,
  );
  const size = (await stat(filler)).size;
  const file = await open(filler, "r+");
  await file.truncate(size - 2 ** 20);
  await file.close();
  const argv = place.mountArguments().map((word) => (word === "0" ? "50%" : word));
  const ended = await place.pailfs(...argv);
  expect(ended).toMatchObject({ code: 0, stdout: "" });
  expect(ended.stderr).toMatch(/\npailfs: state_dir=[^\n]*less than min_free \(16 MiB\)[^\n]*\n$/);
  await place.daemonPid();
  await rm(filler);
  await writeFile(place.path("f"), bytes(1000));
  await place.umount();
});

test("a state directory that is read-only is refused, and used again when it is not", async () => {
  const place = await Place.mounted();
  await place.stopServer();
  await writeFile(place.path("d/f"), "pending");
  const pid = await place.daemonPid();
  signal(pid, "SIGKILL");
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  await place.startServer();
  const undo = await readOnlyAt(place.state);
  await expectRefused(
    place,
    78,
    `Cannot use state_dir=${place.state}: it cannot be written (EROFS`,
  );
  await undo();
  await place.mount();
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5("pending") });
});
