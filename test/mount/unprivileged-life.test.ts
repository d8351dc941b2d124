// Mounts of an ordinary user, by fusermount3: their life, and what others may do with them.
import { execFile } from "node:child_process";
import { chown, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { isAlive, md5, type Place, signal } from "./daemon-fixture.ts";
import { agentOf, daemonUser, makeUserPlace, mountedUserPlace, otherUser } from "./user-fixture.ts";

const run = promisify(execFile);

async function write(place: Place, name: string, text: string): Promise<void> {
  const code = "with open(p, 'w') as f: f.write(t)";
  await agentOf().run(code, { p: place.path(name), t: text });
}

async function read(place: Place, name: string): Promise<unknown> {
  const code = "with open(p) as f: result = f.read()";
  return agentOf().run(code, { p: place.path(name) });
}

async function mountLine(place: Place): Promise<string | undefined> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  return table.split("\n").find((line) => line.includes(` ${place.mountpoint} `));
}

test("a user mounts, writes, reads, renames and unmounts", async () => {
  const place = await mountedUserPlace("-o", "noatime,noexec,lazytime,_netdev");
  expect(await mountLine(place)).toMatch(
    / rw,nosuid,nodev,noexec,noatime .*- fuse\.pailfs bucket rw,user_id=1,group_id=1,default_permissions$/,
  );
  await write(place, "f", "first");
  await agentOf().run("os.rename(a, b)", { a: place.path("f"), b: place.path("g") });
  expect(await read(place, "g")).toBe("first");
  const owner = await agentOf().run("s = os.stat(p); result = [s.st_uid, s.st_gid]", {
    p: place.path("g"),
  });
  expect(owner).toEqual([daemonUser.uid, daemonUser.gid]);
  const status = await place.status();
  expect(status).toMatchObject({ phase: "serving", adapter: "kernel", passthrough: false });
  const flushed = await place.pailfs("flush", place.mountpoint);
  expect(flushed).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(await place.bucket()).toEqual({ g: md5("first") });
  await write(place, "h", "second");
  await place.umount();
  expect(await place.isMounted()).toBe(false);
  await waitUntil("the daemon ends", () => !isAlive(status.pid));
  expect(await place.bucket()).toEqual({ g: md5("first"), h: md5("second") });
});

test("cache, state and run-time files of a user are below the home directory", async () => {
  const place = await makeUserPlace();
  const home = join(place.folder, "home");
  await mkdir(home);
  await chown(home, daemonUser.uid, daemonUser.gid);
  place.variables = {
    ...place.variables,
    HOME: home,
    XDG_RUNTIME_DIR: home,
    PAILFS_RUNTIME_DIR: "",
  };
  const argv = ["mount", "bucket", place.mountpoint, "--endpoint", place.endpoint];
  expect(await place.pailfs(...argv, "--min-free=0")).toEqual({ code: 0, stdout: "", stderr: "" });
  await place.daemonPid();
  for (const name of [".cache/pailfs", ".local/state/pailfs", "pailfs"]) {
    expect((await stat(join(home, name))).uid).toBe(daemonUser.uid);
  }
  await place.umount();
});

test("a mount that is there is not mounted over, and fusermount3 -u from outside ends it in order", async () => {
  const place = await mountedUserPlace();
  const pid = await place.daemonPid();
  const again = await place.pailfs(...place.mountArguments());
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(
    /^pailfs: Cannot mount on [^\n]*already mounted from bucket[^\n]*\n$/,
  );
  await write(place, "f", "kept");
  await run("fusermount3", ["-u", place.mountpoint], daemonUser);
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual({ f: md5("kept") });
});

test("a busy mount says so; --lazy serves an open file until its close", async () => {
  const place = await mountedUserPlace();
  const pid = await place.daemonPid();
  const agent = agentOf();
  await agent.run("f = open(p, 'w'); f.write('x'); f.flush()", { p: place.path("f") });
  const refused = await place.pailfs("umount", place.mountpoint);
  expect(refused.code).toBe(75);
  expect(refused.stderr).toMatch(/^pailfs: Cannot unmount [^\n]*in use[^\n]*\n$/);
  await place.umount("--lazy");
  await agent.run("f.write('y'); f.close()");
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual({ f: md5("xy") });
});

test("after kill -9 the watchdog removes the mount", async () => {
  const place = await mountedUserPlace();
  signal(await place.daemonPid(), "SIGKILL");
  await waitUntil("the mount is gone", async () => !(await place.isMounted()));
  await place.mount();
  await place.umount();
});

test("a mount that a dead daemon left is removed by the next", async () => {
  const place = await mountedUserPlace();
  await write(place, "f", "kept");
  const pid = await place.daemonPid();
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  for (const child of children.trim().split(" ")) signal(Number(child), "SIGKILL");
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is gone", () => !isAlive(pid));
  expect(await place.isMounted()).toBe(true);
  const again = await place.pailfs(...place.mountArguments());
  expect(again).toMatchObject({
    code: 0,
    stderr: `pailfs: removed a dead mount from ${place.mountpoint}\n`,
  });
  await place.daemonPid();
  expect(await read(place, "f")).toBe("kept");
  await place.umount();
});

test("what fusermount3 refuses is told in one line, with the remedy", async () => {
  const place = await makeUserPlace();
  const refusal = async (...more: string[]): Promise<string> => {
    const ended = await place.pailfs(...place.mountArguments(...more));
    expect(ended).toMatchObject({ code: 77, stdout: "" });
    expect(ended.stderr).toMatch(/^pailfs: Cannot mount on "[^\n]+\n$/);
    expect(await place.isMounted()).toBe(false);
    return ended.stderr;
  };
  if (!/^user_allow_other/m.test(await readFile("/etc/fuse.conf", "utf8").catch(() => ""))) {
    const text = await refusal("--allow-other");
    expect(text).toContain(
      'allow_other is for root only as long as /etc/fuse.conf has no line "user_allow_other"',
    );
  }
  await chown(place.mountpoint, 0, 0);
  expect(await refusal()).toContain(`let root say: chown ${daemonUser.uid} ${place.mountpoint}`);
});

test("another user is refused, and root may do everything", async () => {
  const place = await makeUserPlace();
  // where users without a run-time directory of their own have it
  const tmp = join(place.folder, "tmp");
  place.variables = { ...place.variables, PAILFS_RUNTIME_DIR: "", TMPDIR: tmp };
  await place.mount();
  const pid = await place.daemonPid();
  await write(place, "f", "kept");

  place.user = otherUser;
  for (const command of ["umount", "status", "flush"]) {
    const ended = await place.pailfs(command, place.mountpoint);
    expect(ended).toEqual({
      code: 77,
      stdout: "",
      stderr: `pailfs: Cannot use "${place.mountpoint}": user 1 mounted it and you are user 2; ask user 1 or root\n`,
    });
  }

  place.user = undefined;
  expect((await place.status()).pid).toBe(pid);
  expect((await place.pailfs("status")).stdout).toContain(`bucket on ${place.mountpoint}\n`);
  expect(await place.pailfs("flush", place.mountpoint)).toMatchObject({ code: 0, stderr: "" });
  expect(await place.bucket()).toEqual({ f: md5("kept") });
  await place.umount();
  expect(await place.isMounted()).toBe(false);
  await waitUntil("the daemon ends", () => !isAlive(pid));
});

test("root believes no record of a user about somebody else's mount", async () => {
  const place = await makeUserPlace();
  const tmp = join(place.folder, "tmp");
  place.variables = { ...place.variables, PAILFS_RUNTIME_DIR: "", TMPDIR: tmp };
  await place.mount();
  await place.daemonPid();
  const directory = join(tmp, `pailfs-${otherUser.uid}`);
  await run("cp", ["-r", join(tmp, `pailfs-${daemonUser.uid}`), directory]);
  await run("chown", ["-R", `${otherUser.uid}:${otherUser.gid}`, directory]);
  await rm(join(tmp, `pailfs-${daemonUser.uid}`), { recursive: true });
  place.user = undefined;
  const ended = await place.pailfs("status", place.mountpoint);
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: No pailfs is mounted on/);
  await place.pailfs("umount", place.mountpoint);
  await waitUntil("the mount is gone", async () => !(await place.isMounted()));
});
