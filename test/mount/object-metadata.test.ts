// --metadata=object through the kernel: rsync from a fresh host, s3fs on the same bucket, kill -9 of the daemon.
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test, type TestContext } from "vitest";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { isAlive, Place, signal } from "./daemon-fixture.ts";

const run = promisify(execFile);
const OPTIONS = ["--metadata=object", "--allow-other"];
const TIME = 981_173_106.125;

/** Skips the test, and says so, where a program is not installed. */
async function needs(program: string, context: TestContext): Promise<void> {
  const found = await run("sh", ["-c", `command -v ${program}`]).catch(() => undefined);
  if (found !== undefined) return;
  const message = `${program} is not installed: not tested against it`;
  console.warn(message);
  context.skip(message);
}

/** Another host: nothing is known of the bucket. */
async function freshHost(place: Place): Promise<void> {
  await place.umount();
  for (const folder of [place.state, place.cache]) await fs.rm(folder, { recursive: true });
  await place.mount(...OPTIONS);
}

async function makeTree(root: string): Promise<void> {
  await fs.mkdir(join(root, "d/e"), { recursive: true });
  await fs.chmod(join(root, "d"), 0o2750);
  for (let i = 0; i < 20; i += 1) {
    const path = join(root, `d/f${i}`);
    await fs.writeFile(path, `text ${i}`);
    await fs.chmod(path, 0o600 + i);
    await fs.chown(path, 1000 + i, 2000);
    await fs.utimes(path, TIME, TIME + i);
  }
  await fs.symlink("../f0", join(root, "d/e/link"));
  await run("mkfifo", [join(root, "d/e/fifo")]);
}

test("rsync -a from a fresh host transfers nothing again", async (context) => {
  await needs("rsync", context);
  const place = await Place.mounted(...OPTIONS);
  const source = join(place.folder, "source");
  await makeTree(source);
  const rsync = async (): Promise<string> => {
    const args = ["-aXi", "--specials", `${source}/`, place.path("copy/")];
    return (await run("rsync", args, { timeout: 30_000 })).stdout;
  };
  expect((await rsync()).split("\n").length).toBeGreaterThan(20);
  expect(await rsync()).toBe("");
  await freshHost(place);
  await place.admin("reset", {});
  expect(await rsync()).toBe("");
  const { PUT, COPY } = (await place.admin("counts")) as Record<string, number>;
  expect({ PUT, COPY }).toEqual({ PUT: undefined, COPY: undefined });
  await place.umount();
});

test("s3fs and pailfs read each other's files, symlinks and directories", async (context) => {
  await needs("s3fs", context);
  const place = await Place.mounted(...OPTIONS);
  await makeTree(place.path("ours"));
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  const there = await mountS3fs(place);
  await expectTree(join(there, "ours"));
  await makeTree(join(there, "theirs"));
  await fs.chmod(join(there, "ours/d/f3"), 0o444);
  await run("umount", [there]);
  await freshHost(place);
  await expectTree(place.path("theirs"));
  expect((await fs.stat(place.path("ours/d/f3"))).mode & 0o7777).toBe(0o444);
  await fs.rm(place.path("theirs"), { recursive: true });
  await place.umount();
  const keys = (await place.admin("keys?prefix=theirs")) as unknown[];
  expect(keys).toEqual([]);
}, 90_000);

async function expectTree(root: string): Promise<void> {
  expect((await fs.stat(join(root, "d"))).mode & 0o7777).toBe(0o2750);
  for (let i = 0; i < 20; i += 1) {
    const { mode, uid, gid, mtimeMs } = await fs.stat(join(root, `d/f${i}`));
    expect({ mode: mode & 0o7777, uid, gid, mtimeMs }).toEqual({
      mode: 0o600 + i,
      uid: 1000 + i,
      gid: 2000,
      mtimeMs: (TIME + i) * 1000,
    });
    expect(await fs.readFile(join(root, `d/f${i}`), "utf8")).toBe(`text ${i}`);
  }
  expect(await fs.readlink(join(root, "d/e/link"))).toBe("../f0");
  expect((await fs.lstat(join(root, "d/e/fifo"))).isFIFO()).toBe(true);
}

async function mountS3fs(place: Place): Promise<string> {
  const there = join(place.folder, "s3fs");
  const password = join(place.folder, "password");
  await fs.mkdir(there);
  await fs.writeFile(password, `${testLogin.accessKeyId}:${testLogin.secretAccessKey}\n`);
  await fs.chmod(password, 0o600);
  const isMounted = async (): Promise<boolean> =>
    (await fs.readFile("/proc/self/mounts", "utf8")).includes(` ${there} `);
  onTestFinished(async () => {
    if (await isMounted()) await run("umount", ["-l", there]);
  });
  const options = `url=${place.endpoint},use_path_request_style,passwd_file=${password},use_xattr`;
  await run("s3fs", ["bucket", there, "-o", options], { timeout: 20_000 });
  await waitUntil("s3fs is mounted", isMounted, 10_000);
  return there;
}

test("kill -9 in the middle of queued changes of metadata loses none", async () => {
  const place = await Place.mounted(...OPTIONS);
  const names = Array.from({ length: 60 }, (_, i) => `d/f${i}`);
  for (const name of names) await fs.writeFile(place.path(name), name);
  expect((await place.pailfs("flush", place.mountpoint)).code).toBe(0);
  const pid = await place.daemonPid();
  await place.admin("settings", { latencyMs: 50 });
  await place.admin("reset", {});
  for (const [i, name] of names.entries()) {
    await fs.chmod(place.path(name), 0o400 + i);
    if (i % 3 === 0) await fs.rename(place.path(name), place.path(`${name}.moved`));
  }
  await waitUntil("some are done", async () => {
    const counts = (await place.admin("counts")) as Record<string, number>;
    return (counts["COPY"] ?? 0) > 5;
  });
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  await place.admin("settings", { latencyMs: 0 });
  await place.mount(...OPTIONS);
  const check = async (): Promise<void> => {
    for (const [i, name] of names.entries()) {
      const path = place.path(i % 3 === 0 ? `${name}.moved` : name);
      expect((await fs.stat(path)).mode & 0o7777, name).toBe(0o400 + i);
      expect(await fs.readFile(path, "utf8")).toBe(name);
    }
    expect(await fs.readdir(place.path("d"))).toHaveLength(names.length);
  };
  await check();
  await freshHost(place);
  await check();
  await place.umount();
}, 90_000);
