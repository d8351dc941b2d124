// kill -9 and what the next mount makes of it.
import { mkdir, open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, errnoOf, isAlive, md5, Place, signal } from "./daemon-fixture.ts";

async function kill(place: Place, known?: number): Promise<void> {
  const pid = known ?? (await place.daemonPid());
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
}

/** The folder of the one mount whose state is here. */
async function stateFolder(place: Place): Promise<string> {
  const [name = ""] = await readdir(place.state);
  return join(place.state, name);
}

test.each(["auto", "off"])(
  "after kill -9 every closed file reaches the bucket, one never closed leaves no trace (passthrough %s)",
  async (passthrough) => {
    const place = await Place.mounted("--passthrough", passthrough);
    // not later: to start a program closes inherited descriptors, which counts as a close of what is open here
    const pid = await place.daemonPid();
    await writeFile(place.path("old"), "previous");
    expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
    await mkdir(place.path("d/e"));
    await place.stopServer();
    const contents: Record<string, Buffer> = {};
    for (let i = 0; i < 20; i += 1) contents[`d/e/f${i}`] = bytes(i * 9973);
    await Promise.all(
      Object.entries(contents).map(([name, content]) => writeFile(place.path(name), content)),
    );
    await rename(place.path("d/e/f3"), place.path("d/moved"));
    const synced = await open(place.path("d/synced"), "w");
    await synced.write("promised");
    await synced.sync();
    await synced.write(" and not");
    const never = await open(place.path("d/never"), "w");
    await never.write("never closed");
    const old = await open(place.path("old"), "r+");
    await old.write("PREV");
    await kill(place, pid);
    for (const file of [synced, never, old]) await file.close().catch(() => undefined);

    await place.startServer();
    // at once: the dead mount may still be there
    const again = await place.pailfs(...place.mountArguments("--passthrough", passthrough));
    expect(again.code).toBe(0);
    expect(again.stderr).toMatch(/^(pailfs: removed a dead mount from [^\n]*\n)?$/);
    await place.daemonPid();
    const { f3, ...rest } = Object.fromEntries(
      Object.entries(contents).map(([name, content]) => [name.slice(4), content]),
    );
    expect(md5(await readFile(place.path("d/moved")))).toBe(md5(f3 ?? ""));
    for (const [name, content] of Object.entries(rest)) {
      expect(md5(await readFile(place.path(`d/e/${name}`)))).toBe(md5(content));
    }
    expect((await readFile(place.path("d/synced"), "utf8")).startsWith("promised")).toBe(true);
    expect(await errnoOf(stat(place.path("d/never")))).toBe("ENOENT");
    expect(await readFile(place.path("old"), "utf8")).toBe("previous");
    await place.umount();
    const bucket = await place.bucket();
    expect(bucket["d/moved"]).toBe(md5(f3 ?? ""));
    for (const [name, content] of Object.entries(rest)) {
      expect(bucket[`d/e/${name}`], name).toBe(md5(content));
    }
    expect([md5("promised"), md5("promised and not")]).toContain(bucket["d/synced"]);
    expect(bucket["old"]).toBe(md5("previous"));
    expect(Object.keys(bucket).toSorted()).toEqual(
      [...Object.keys(rest).map((name) => `d/e/${name}`), "d/moved", "d/synced", "old"].toSorted(),
    );
    expect(await readdir(join(await stateFolder(place), "spool"))).toEqual([]);
  },
);

test("what `flush` waited for is not uploaded again after a kill -9", async () => {
  const place = await Place.mounted();
  const contents = Object.fromEntries([1, 2, 3].map((i) => [`d/f${i}`, bytes(i * 100_000)]));
  for (const [name, content] of Object.entries(contents)) {
    await writeFile(place.path(name), content);
  }
  const pid = await place.daemonPid();
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  await kill(place, pid);
  await place.admin("reset", {});
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  await place.mount();
  for (const [name, content] of Object.entries(contents)) {
    expect(md5(await readFile(place.path(name)))).toBe(md5(content));
  }
  await place.umount();
  const counts = (await place.admin("counts")) as Record<string, number>;
  expect(counts["PUT"]).toBeUndefined();
  expect(counts["DELETE"]).toBeUndefined();
});

test("kill -9 in the middle of an upload publishes the file once it is whole", async () => {
  const place = await Place.make();
  await place.stopServer();
  await place.startServer(true);
  const options = ["--multipart-threshold=5M", "--part-size=5M"];
  await place.mount(...options);
  await place.admin("settings", { bandwidth: 4_000_000 });
  const content = bytes(11_000_000);
  await writeFile(place.path("big"), content);
  await waitUntil("parts are on their way", async () => {
    const counts = (await place.admin("counts")) as Record<string, number>;
    return (counts["UPLOAD_PART"] ?? 0) > 0;
  });
  await kill(place);
  expect(await place.bucket()).toEqual({});
  await place.admin("settings", { bandwidth: 0 });
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  await place.mount(...options);
  expect(md5(await readFile(place.path("big")))).toBe(md5(content));
  await place.umount();
  expect(Object.keys(await place.bucket())).toEqual(["big"]);
  await place.mount("--cache-dir", join(place.folder, "cache2"));
  expect(md5(await readFile(place.path("big")))).toBe(md5(content));
  await place.umount();
});

test("a restart with S3 down serves what is known and cached, and keeps the queue", async () => {
  const place = await Place.mounted();
  const [cached, pending] = [bytes(50_000), bytes(60_000)];
  await writeFile(place.path("d/cached"), cached);
  // the cache's records reach the disk in order; after a kill at once they would be fetched again
  await place.umount();
  await place.mount();
  await mkdir(place.path("known"));
  expect(md5(await readFile(place.path("d/cached")))).toBe(md5(cached));
  await place.stopServer();
  await writeFile(place.path("known/pending"), pending);
  await kill(place);
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  const startedAt = Date.now();
  const again = await place.pailfs(...place.mountArguments("--s3-deadline=2s"));
  expect(Date.now() - startedAt).toBeLessThan(20_000);
  expect(again).toMatchObject({ code: 0, stdout: "" });
  expect(again.stderr).toMatch(/^pailfs: S3 cannot be used now \([^\n]*\): what is known[^\n]*\n$/);
  await place.daemonPid();
  expect(md5(await readFile(place.path("d/cached")))).toBe(md5(cached));
  expect(md5(await readFile(place.path("known/pending")))).toBe(md5(pending));
  await writeFile(place.path("known/new"), "written meanwhile");
  expect((await place.status()).queue.length).toBe(2);
  await place.startServer();
  await place.umount();
  expect(await place.bucket()).toEqual({
    "d/cached": md5(cached),
    "known/pending": md5(pending),
    "known/new": md5("written meanwhile"),
  });
});

test("a restart with keys that S3 refuses fails with 77, and the queue is kept", async () => {
  const place = await Place.mounted();
  await place.stopServer();
  await writeFile(place.path("d/f"), "kept");
  const pid = await place.daemonPid();
  signal(pid, "SIGTERM");
  await waitUntil("it is unmounted", async () => !(await place.isMounted()));
  signal(pid, "SIGTERM");
  await waitUntil("the daemon ends", () => !isAlive(pid));
  await place.startServer();
  const good = place.variables;
  place.variables = { ...good, AWS_SECRET_ACCESS_KEY: "wrong" };
  const refused = await place.pailfs(...place.mountArguments());
  expect(refused).toMatchObject({ code: 77, stdout: "" });
  expect(refused.stderr).toMatch(/^pailfs: [^\n]*secret key does not fit[^\n]*\n$/);
  expect(await place.isMounted()).toBe(false);
  place.variables = good;
  await place.mount();
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5("kept") });
});

test("a journal that was moved away takes no acknowledged bytes with it", async () => {
  const place = await Place.mounted();
  await place.stopServer();
  await writeFile(place.path("d/f"), "precious");
  await kill(place);
  await place.startServer();
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  const state = await stateFolder(place);
  for (const name of ["journal.mdb", "journal.mdb-lock"]) {
    await rename(join(state, name), join(place.folder, name));
  }
  // a start that fails half-way must not make the next one forget
  await place.stopServer();
  expect((await place.pailfs(...place.mountArguments())).code).toBe(69);
  await place.startServer();
  await place.mount();
  const saved = await readdir(join(state, "quarantine"));
  const contents = await Promise.all(
    saved.map((name) => readFile(join(state, "quarantine", name), "utf8")),
  );
  expect(contents).toContain("precious");
  await place.umount();
  expect(await place.bucket()).toEqual({});
});

test("a damaged journal is refused with the remedy, and nothing is touched", async () => {
  const place = await Place.mounted();
  await place.stopServer();
  await writeFile(place.path("d/f"), "precious");
  await kill(place);
  await place.startServer();
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  const state = await stateFolder(place);

  await writeFile(join(state, "journal.mdb"), bytes(16_384));
  const refused = await place.pailfs(...place.mountArguments());
  expect(refused).toMatchObject({ stdout: "" });
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(
    /^pailfs: Cannot use the journal [^\n]*restore it from a backup[^\n]*\n$/,
  );
  expect(await place.isMounted()).toBe(false);
  const kept = await Promise.all(
    (await readdir(join(state, "spool"))).map((name) =>
      readFile(join(state, "spool", name), "utf8"),
    ),
  );
  expect(kept).toContain("precious");
});
