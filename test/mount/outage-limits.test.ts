// ack=s3, and a spool that fills up: what close(2) and write(2) say, and what stays.
import { open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, errnoOf, md5, Place } from "./daemon-fixture.ts";

const MIB = 2 ** 20;

test.each(["auto", "off"])(
  "ack=s3: close returns when the object is in the bucket (passthrough %s)",
  async (passthrough) => {
    const place = await Place.mounted("--ack=s3", "--passthrough", passthrough);
    await place.admin("settings", { latencyMs: 300 });
    const content = bytes(100_000);
    const startedAt = Date.now();
    await writeFile(place.path("d/f"), content);
    expect(Date.now() - startedAt).toBeGreaterThan(290);
    expect(await place.bucket()).toEqual({ "d/f": md5(content) });
    await place.umount();
  },
);

const refusals: [string, object][] = [
  ["refuses", { kind: "status", status: 403, code: "AccessDenied" }],
  ["is down", { kind: "status", status: 503, code: "SlowDown" }],
];

/** Writes a file and resolves to the errno of its close. */
async function errnoOfClose(path: string, text: string): Promise<string> {
  const file = await open(path, "w");
  await file.write(text);
  return errnoOf(file.close());
}

test.each(refusals)(
  "ack=s3: when S3 %s close gives EIO, the previous content stays, and it can be written again",
  async (_, effect) => {
    const place = await Place.mounted("--ack=s3", "--s3-deadline=2s");
    await writeFile(place.path("d/f"), "previous");
    await place.admin("fault", { effect, verbs: ["PUT"] });
    expect(await errnoOfClose(place.path("d/f"), "refused")).toBe("EIO");
    expect(await readFile(place.path("d/f"), "utf8")).toBe("previous");
    const synced = await open(place.path("d/f"), "r+");
    await synced.write("REFUSED!");
    expect(await errnoOf(synced.sync())).toBe("EIO");
    await synced.close().catch(() => undefined);
    expect(await readFile(place.path("d/f"), "utf8")).toBe("previous");
    await place.admin("clear-faults", {});
    await writeFile(place.path("d/f"), "again");
    expect(await readFile(place.path("d/f"), "utf8")).toBe("again");
    expect(await place.bucket()).toEqual({ "d/f": md5("again") });
    expect((await place.status()).queue.length).toBe(0);
    await place.umount();
    expect(await place.bucket()).toEqual({ "d/f": md5("again") });
  },
);

test.each(refusals)(
  "ack=s3: when S3 %s a new file is not there after its close",
  async (_, effect) => {
    const place = await Place.mounted("--ack=s3", "--s3-deadline=2s");
    await place.admin("fault", { effect, verbs: ["PUT"] });
    expect(await errnoOfClose(place.path("d/new"), "refused")).toBe("EIO");
    expect(await errnoOf(readFile(place.path("d/new")))).toBe("ENOENT");
    await place.admin("clear-faults", {});
    await place.umount();
    expect(await place.bucket()).toEqual({});
  },
);

test("ack=s3: a new file that S3 refused can be written again at once, and is not seen meanwhile", async () => {
  const place = await Place.mounted("--ack=s3", "--s3-deadline=2s");
  const effect = { kind: "status", status: 403, code: "AccessDenied" };
  await place.admin("fault", { effect, verbs: ["PUT"] });
  expect(await errnoOfClose(place.path("d/new"), "refused")).toBe("EIO");
  await place.admin("clear-faults", {});
  expect(await errnoOf(writeFile(place.path("d/new"), "again"))).toBe("");
  await place.admin("fault", { effect, verbs: ["PUT"] });
  expect(await errnoOfClose(place.path("d/other"), "refused")).toBe("EIO");
  expect(await errnoOfClose(place.path("d/new"), "refused, and longer")).toBe("EIO");
  // the kernel hears of it right after it gave close(2) its answer
  await waitUntil("the kernel has forgotten what S3 refused", async () => {
    const isGone = (await errnoOf(stat(place.path("d/other")))) === "ENOENT";
    return isGone && (await stat(place.path("d/new"))).size === "again".length;
  });
  expect(await readFile(place.path("d/new"), "utf8")).toBe("again");
  await place.admin("clear-faults", {});
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/new": md5("again") });
});

/** Bytes of all staged files. */
async function staged(place: Place): Promise<number> {
  const [name = ""] = await readdir(place.state);
  const spool = join(place.state, name, "spool");
  const stats = (await readdir(spool)).map(async (file) => stat(join(spool, file)));
  return (await Promise.all(stats)).reduce((sum, { size }) => sum + size, 0);
}

/** Mounts with 16 MiB of spool, 10 of them taken by d/kept, and S3 down. */
async function nearlyFull(passthrough: string): Promise<{ place: Place; kept: Buffer }> {
  const limits = ["--spool-size=16M", "--s3-deadline=2s"];
  const place = await Place.mounted(...limits, "--passthrough", passthrough);
  await writeFile(place.path("d/old"), "previous");
  await place.pailfs("flush", place.mountpoint);
  await place.stopServer();
  const kept = bytes(10 * MIB);
  await writeFile(place.path("d/kept"), kept);
  return { place, kept };
}

/** Writes into a file until it fails, at most 48 MiB; resolves to the errno, and that of its close. */
async function fill(path: string): Promise<[string, string]> {
  const file = await open(path, "w");
  const block = bytes(MIB);
  const write = async (): Promise<void> => {
    for (let i = 0; i < 48; i += 1) await file.write(block);
  };
  const errno = await errnoOf(write());
  return [errno, await errnoOf(file.close())];
}

test("a full spool is ENOSPC after a wait; what was closed before is kept, and room comes back", async () => {
  const { place, kept } = await nearlyFull("off");
  const startedAt = Date.now();
  const [errno] = await fill(place.path("d/new"));
  expect(errno).toBe("ENOSPC");
  expect(Date.now() - startedAt).toBeGreaterThan(1900);
  expect(md5(await readFile(place.path("d/kept")))).toBe(md5(kept));
  await place.startServer();
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  expect((await place.bucket())["d/kept"]).toBe(md5(kept));
  const after = bytes(9 * MIB);
  await writeFile(place.path("d/after"), after);
  await place.umount();
  expect((await place.bucket())["d/after"]).toBe(md5(after));
});

test("the spool holds no more than its limit while uploads are tried", async () => {
  const { place } = await nearlyFull("off");
  await fill(place.path("d/old"));
  await fill(place.path("d/new"));
  expect(await staged(place)).toBeLessThanOrEqual(17 * MIB);
});

// a descriptor once given to the kernel is not taken back: it is close(2) that says so
test("a writer by passthrough hears at its close that the spool is full, and gives its room back", async () => {
  const { place, kept } = await nearlyFull("auto");
  const startedAt = Date.now();
  expect(await fill(place.path("d/new"))).toEqual(["", "ENOSPC"]);
  expect(Date.now() - startedAt).toBeGreaterThan(1900);
  await waitUntil("the room is given back", async () => (await staged(place)) <= 11 * MIB);
  await waitUntil(
    "the name is gone",
    async () => (await errnoOf(stat(place.path("d/new")))) === "ENOENT",
  );
  await place.startServer();
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/old": md5("previous"), "d/kept": md5(kept) });
});

test.each(["auto", "off"])(
  "a file whose writer got ENOSPC keeps its previous content, a new one is not there (passthrough %s)",
  async (passthrough) => {
    const { place, kept } = await nearlyFull(passthrough);
    expect((await fill(place.path("d/old"))).join(" ").trim()).toMatch(/^ENOSPC( ENOSPC)?$/);
    expect((await fill(place.path("d/new"))).at(1)).toBe("ENOSPC");
    expect(await readFile(place.path("d/old"), "utf8")).toBe("previous");
    await waitUntil(
      "the name is gone",
      async () => (await errnoOf(stat(place.path("d/new")))) === "ENOENT",
    );
    expect(await errnoOf(writeFile(place.path("d/new"), "small"))).toBe("");
    await place.startServer();
    await place.umount();
    expect(await place.bucket()).toEqual({
      "d/old": md5("previous"),
      "d/kept": md5(kept),
      "d/new": md5("small"),
    });
  },
);

test("a writer that makes good what it got ENOSPC for is kept", async () => {
  const { place } = await nearlyFull("off");
  const file = await open(place.path("d/log"), "a");
  await file.write("first line\n");
  expect(await errnoOf(file.appendFile(bytes(20 * MIB)))).toBe("ENOSPC");
  expect(await errnoOf(file.sync())).toBe("ENOSPC");
  await file.truncate("first line\n".length);
  await file.write("second line\n");
  expect(await errnoOf(file.close())).toBe("");
  await place.startServer();
  await place.umount();
  expect((await place.bucket())["d/log"]).toBe(md5("first line\nsecond line\n"));
});
