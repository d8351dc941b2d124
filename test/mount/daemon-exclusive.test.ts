// --sharing=exclusive under a real mount: restarts, SIGHUP, kills, and what others do nevertheless.
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { DaemonStatus } from "../../src/daemon/status.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { errnoOf, isAlive, Place, signal } from "./daemon-fixture.ts";

const WAIT_MS = 30_000;

async function coverage(place: Place): Promise<NonNullable<DaemonStatus["coverage"]>> {
  const { coverage: told } = await place.status();
  if (told === undefined) throw new Error("status tells nothing of coverage");
  return told;
}

async function untilComplete(place: Place): Promise<void> {
  const isComplete = async (): Promise<boolean> => {
    const { complete, crawl } = await coverage(place);
    return complete && crawl === undefined;
  };
  await waitUntil("the crawl is done", isComplete, WAIT_MS);
}

/** What was asked about names. */
async function requests(place: Place): Promise<Record<string, number>> {
  const { HEAD, LIST } = (await place.admin("counts")) as Record<string, number>;
  return { ...(HEAD === undefined ? {} : { HEAD }), ...(LIST === undefined ? {} : { LIST }) };
}

/** An object that another host makes: `size` bytes that start with the byte `seed`. */
async function putByOthers(place: Place, key: string, size: number, seed = 0): Promise<void> {
  await place.admin("ramp", { prefix: key, count: seed, size });
}

test("after a restart with S3 stopped names, misses and listings are answered", async () => {
  const place = await Place.make();
  await place.mount("--sharing=exclusive", "--s3-deadline=2s");
  await untilComplete(place);
  await mkdir(place.path("a/b"), { recursive: true });
  for (const name of ["a/f", "a/b/g", "h"]) await writeFile(place.path(name), name);
  await place.pailfs("flush", place.mountpoint);
  await place.umount();
  await place.stopServer();
  // it says that S3 does not answer, and mounts
  const ended = await place.pailfs(
    ...place.mountArguments("--sharing=exclusive", "--s3-deadline=2s"),
  );
  expect(ended).toMatchObject({ code: 0 });
  await place.daemonPid();
  const before = (await place.status()).requests;
  expect((await readdir(place.mountpoint)).sort()).toEqual(["a", "h"]);
  expect(await readdir(place.path("a"))).toEqual(["b", "f"]);
  expect((await stat(place.path("a/b/g"))).size).toBe(5);
  for (const name of ["x", "a/x", "a/b/x"]) {
    expect(await errnoOf(stat(place.path(name))), name).toBe("ENOENT");
  }
  expect(await errnoOf(rmdir(place.path("a/b")))).toBe("ENOTEMPTY");
  await mkdir(place.path("a/new"));
  await rmdir(place.path("a/new"));
  const after = (await place.status()).requests;
  for (const verb of ["HEAD", "GET", "PUT", "DELETE"]) expect(after[verb], verb).toBe(before[verb]);
  await place.startServer();
  await place.umount();
});

test("SIGHUP shows what others changed, also what the kernel has kept, and pending files win", async () => {
  const place = await Place.make();
  const pid = await place.mount("--sharing=exclusive");
  await untilComplete(place);
  for (const [key, size] of [
    ["d/stays", 1],
    ["d/grows", 10],
    ["d/goes", 3],
    ["dir/x", 1],
  ] as const) {
    await putByOthers(place, key, size);
  }
  signal(pid, "SIGHUP");
  await waitUntil("they are seen", async () => (await errnoOf(stat(place.path("dir/x")))) === "");
  expect((await readFile(place.path("d/grows"))).length).toBe(10);
  for (const name of ["d/stays", "d/goes"]) await stat(place.path(name));
  await place.admin("fault", { verbs: ["PUT"], effect: { kind: "status", status: 503 } });
  await writeFile(place.path("d/ours"), "ours");
  await writeFile(place.path("d/grows"), "ours too");
  await place.admin("delete", { prefix: "d/goes" });
  await place.admin("delete", { prefix: "dir/" });
  await putByOthers(place, "dir", 7);
  await putByOthers(place, "d/ours", 100);
  await putByOthers(place, "d/grows", 100);
  expect((await place.pailfs("refresh", place.mountpoint)).code).toBe(0);
  expect(await readdir(place.path("d"))).toEqual(["grows", "ours", "stays"]);
  expect(await errnoOf(stat(place.path("d/goes")))).toBe("ENOENT");
  expect((await stat(place.path("dir"))).size).toBe(7);
  expect(await readFile(place.path("d/ours"), "utf8")).toBe("ours");
  expect(await readFile(place.path("d/grows"), "utf8")).toBe("ours too");
  await place.admin("clear-faults", {});
  await place.umount();
  expect(Object.keys(await place.bucket())).toEqual(["d/grows", "d/ours", "d/stays", "dir"]);
});

test("kill -9 in the middle of a crawl: the next mount goes on with it", async () => {
  const place = await Place.make();
  await place.admin("synapse", { count: 60_000 });
  await place.admin("settings", { latencyMs: 40 });
  const pid = await place.mount("--sharing=exclusive");
  const isUnderWay = async (): Promise<boolean> =>
    ((await coverage(place)).crawl?.listed ?? 0) > 15_000;
  await waitUntil("a part is listed", isUnderWay, WAIT_MS);
  await writeFile(place.path("mine"), "mine");
  expect((await coverage(place)).complete).toBe(false);
  const listed = (await coverage(place)).crawl?.listed ?? 0;
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  await place.admin("reset", {});
  await place.mount("--sharing=exclusive");
  await untilComplete(place);
  const counts = (await place.admin("counts")) as { LIST: number };
  expect(counts.LIST).toBeLessThan(60 - Math.floor(listed / 2000));
  const keys = (await place.admin("keys?names")) as string[];
  await place.admin("reset", {});
  for (const key of keys.filter((_key, i) => i % 200 === 0)) {
    expect((await stat(place.path(key))).isFile(), key).toBe(true);
  }
  expect(await errnoOf(stat(place.path("local_content/AA/x")))).toBe("ENOENT");
  expect(await readFile(place.path("mine"), "utf8")).toBe("mine");
  expect(await requests(place)).toEqual({});
  const { stdout } = await place.pailfs("status", place.mountpoint);
  expect(stdout).toMatch(/coverage +complete as of \d+ s ago/);
  await place.umount();
}, 120_000);
