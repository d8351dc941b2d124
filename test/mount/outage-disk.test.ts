// Trouble with the local disk under a daemon that runs: what callers see, what status says, and that nothing is lost.
import { execFile } from "node:child_process";
import { type FileHandle, mkdir, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, errnoOf, isAlive, md5, Place, signal } from "./daemon-fixture.ts";
import { readOnlyAt, tmpfsAt } from "./tmpfs.ts";

const run = promisify(execFile);
const MIB = 2 ** 20;

/** Takes the disk's room to the last block. */
async function fillUp(path: string): Promise<void> {
  await run("sh", ["-c", 'cat /dev/zero > "$1" || true', "sh", path]);
}

/** Writes files of 1 MiB until one fails; resolves to those that were acknowledged, and the errno of the other. */
async function fillWithFiles(place: Place): Promise<{ kept: Map<string, string>; errno: string }> {
  const kept = new Map<string, string>();
  for (let i = 0; i < 100; i += 1) {
    const content = bytes(MIB);
    const errno = await errnoOf(writeFile(place.path(`d/f${i}`), content));
    if (errno !== "") return { kept, errno };
    kept.set(`d/f${i}`, md5(content));
  }
  throw new Error("The disk does not fill up");
}

async function expectReadable(place: Place, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, digest] of files) {
    expect(md5(await readFile(place.path(name))), name).toBe(digest);
  }
}

test.each(["auto", "off"])(
  "a full spool disk is ENOSPC; what was closed is kept over kill -9, and drains (passthrough %s)",
  async (passthrough) => {
    const place = await Place.make();
    await tmpfsAt(place.state, "24M");
    const options = ["--s3-deadline=2s", "--passthrough", passthrough];
    await place.mount(...options);
    await mkdir(place.path("d"));
    await place.stopServer();
    const { kept, errno } = await fillWithFiles(place);
    expect(errno).toBe("ENOSPC");
    expect(kept.size).toBeGreaterThan(10);
    await expectReadable(place, kept);
    expect((await place.status()).queue.length).toBe(kept.size);
    const pid = await place.daemonPid();
    signal(pid, "SIGKILL");
    await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
    // to the last byte: the journal has no more room than the spool
    await fillUp(join(place.state, ".filler"));
    await place.startServer();
    await place.mount(...options);
    await expectReadable(place, kept);
    await place.umount();
    expect(await place.bucket()).toEqual(Object.fromEntries(kept));
    await rm(join(place.state, ".filler"));
    await place.mount(...options);
    await writeFile(place.path("d/after"), "room again");
    await place.umount();
    expect((await place.bucket())["d/after"]).toBe(md5("room again"));
  },
);

/** Files by name, with the MD5 of each; new ones have content that nothing else has. */
class Files extends Map<string, string> {
  readonly #place: Place;

  constructor(place: Place) {
    super();
    this.#place = place;
  }

  /** Writes one and waits until it is uploaded. */
  async upload(name: string): Promise<void> {
    await this.write(name);
    const { code, stderr } = await this.#place.pailfs("flush", this.#place.mountpoint);
    if (code !== 0) throw new Error(stderr);
  }

  async write(name: string): Promise<void> {
    const content = bytes(MIB);
    await writeFile(this.#place.path(name), content);
    this.set(name, md5(content));
  }
}

async function expectEverywhere(place: Place, files: Files): Promise<void> {
  await expectReadable(place, files);
  expect(await place.bucket()).toEqual(Object.fromEntries(files));
}

test("a cache disk that fills up, is read-only or is taken away costs requests, nothing else", async () => {
  const place = await Place.make();
  await tmpfsAt(place.cache, "16M");
  await place.mount();
  await mkdir(place.path("d"));
  const files = new Files(place);
  await files.upload("d/cached");
  const filler = join(place.cache, "filler");
  await fillUp(filler);
  await files.upload("d/without-room");
  await expectEverywhere(place, files);
  await rm(filler);
  const [folder = ""] = (await readdir(place.cache)).filter((name) => name.startsWith("bucket"));
  const undo = await readOnlyAt(join(place.cache, folder));
  await files.upload("d/read-only");
  await expectEverywhere(place, files);
  await undo();
  await rm(join(place.cache, folder), { recursive: true });
  await files.upload("d/taken-away");
  await expectEverywhere(place, files);
  expect((await place.status()).queue.length).toBe(0);
  await place.umount();
  await place.mount();
  await expectEverywhere(place, files);
  await place.umount();
});

test("a spool that is read-only fails writers with EROFS, not readers, and loses nothing", async () => {
  const place = await Place.mounted("--s3-deadline=2s");
  const files = new Files(place);
  await files.upload("d/uploaded");
  await place.stopServer();
  await files.write("d/pending");
  const [folder = ""] = await readdir(place.state);
  const undo = await readOnlyAt(join(place.state, folder, "spool"));
  let errno = "";
  // files that were made before are left
  for (let i = 0; i < 100 && errno === ""; i += 1) {
    errno = await errnoOf(files.write(`d/f${i}`));
  }
  expect(errno).toBe("EROFS");
  await expectReadable(place, files);
  await place.startServer();
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  await expectEverywhere(place, files);
  await undo();
  await files.upload("d/after");
  await place.umount();
  expect(await place.bucket()).toEqual(Object.fromEntries(files));
  // nothing of what was uploaded meanwhile is left
  await place.mount();
  await place.umount();
  expect(await readdir(join(place.state, folder, "spool"))).toEqual([]);
});

test("a daemon without descriptors fails opens with EMFILE, and serves again when some are free", async () => {
  const place = await Place.make();
  place.prefix = ["prlimit", "--nofile=160"];
  await place.mount();
  place.prefix = [];
  const files = new Files(place);
  await mkdir(place.path("d"));
  const pid = await place.daemonPid();
  for (let i = 0; i < 50; i += 1) await files.write(`d/read${i}`);
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  await expectReadable(place, files);
  const writers: FileHandle[] = [];
  let errno = "";
  while (writers.length < 160 && errno === "") {
    errno = await errnoOf(
      open(place.path(`d/open${writers.length}`), "w").then((file) => void writers.push(file)),
    );
  }
  expect(errno).toBe("EMFILE");
  // as many as there are descriptors, but for the daemon's own
  expect(writers.length).toBeGreaterThan(60);
  for (const [i, file] of writers.entries()) {
    await file.writeFile(`${i}`);
    await file.close();
    files.set(`d/open${i}`, md5(`${i}`));
  }
  expect(isAlive(pid)).toBe(true);
  await files.write("d/after");
  await place.umount();
  await place.mount();
  await expectEverywhere(place, files);
  await place.umount();
});
