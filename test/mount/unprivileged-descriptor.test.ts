// Mounts that somebody else made for us: an inherited /dev/fuse, a user namespace, a container's goofys.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, statfs, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { type Ended, isAlive, md5, Place } from "./daemon-fixture.ts";
import { agentOf, daemonUser, makeUserPlace } from "./user-fixture.ts";

const run = promisify(execFile);
const program = new URL("../../bin/pailfs.js", import.meta.url).pathname;

/** Starts a shell script as root in a place's environment; it is killed after the test. */
function start(
  place: Place,
  script: string,
  ...words: string[]
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn("/bin/sh", ["-c", script, "sh", ...words], {
    cwd: place.folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      HOME: join(place.folder, "home"),
      PAILFS_RUNTIME_DIR: join(place.folder, "run"),
      PAILFS_MIN_FREE: "0",
      ...place.variables,
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** As start(), to its end; a script that lasts too long is killed. */
async function shell(place: Place, script: string, ...words: string[]): Promise<Ended> {
  const { child, ended } = start(place, script, ...words);
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const result = await ended;
  clearTimeout(timer);
  return result;
}

async function capabilities(pid: number): Promise<string | undefined> {
  return /^CapEff:\s*(\S+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
}

test("mount.fuse3 -o drop_privileges: root mounts, the daemon has no right at all", async () => {
  const place = await Place.make();
  const command = join(place.folder, "pailfs");
  await writeFile(command, `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`);
  await chmod(command, 0o755);
  const words = [
    "drop_privileges,default_permissions",
    `endpoint=${place.endpoint},cache_dir=${place.cache},state_dir=${place.state}`,
  ].join(",");
  const mounted = await shell(
    place,
    'mount.fuse3 "$1#bucket" "$2" -o "$3"',
    command,
    place.mountpoint,
    words,
  );
  expect(mounted).toEqual({ code: 0, stdout: "", stderr: "" });
  const pid = await place.daemonPid();
  expect(await capabilities(pid)).toBe("0000000000000000");
  await writeFile(place.path("f"), "kept");
  expect(await readFile(place.path("f"), "utf8")).toBe("kept");
  // nobody else holds the device: it is free when the daemon is gone
  const refused = await place.pailfs("umount", place.mountpoint);
  expect(refused.code).toBe(77);
  expect(refused.stderr).toMatch(
    /^pailfs: Cannot unmount [^\n]*this process may not[^\n]*let root do it\n$/,
  );
  await run("umount", [place.mountpoint]);
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual({ f: md5("kept") });
});

test("a supervisor mounts and hands /dev/fd/N to a user; SIGTERM drains and leaves the mount to it", async () => {
  const place = await makeUserPlace();
  const words = "fd=7,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other";
  const { child, ended } = start(
    place,
    `exec 7<>/dev/fuse
     mount -i -t fuse -o ${words} bucket "$1"
     shift
     exec setpriv --reuid 1 --regid 1 --clear-groups "$@" --foreground`,
    place.mountpoint,
    process.execPath,
    program,
    ...place.mountArguments().map((word) => (word === place.mountpoint ? "/dev/fd/7" : word)),
  );
  await waitUntil("the mount answers", async () => isServed(place), 40_000);
  await writeFile(place.path("f"), "kept");
  child.kill("SIGTERM");
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  expect(stderr).toMatch(/served by the kernel adapter on descriptor 7/);
  expect(stderr).toMatch(/mounted it and you are user 1|let root do it/);
  expect(await place.bucket()).toEqual({ f: md5("kept") });
  await expect(statfs(place.mountpoint)).rejects.toMatchObject({ code: "ENOTCONN" });
  await run("umount", [place.mountpoint]);
});

async function isServed(place: Place): Promise<boolean> {
  if (!(await place.isMounted())) return false;
  const { stdout } = await place.pailfs("status");
  return stdout.includes("serving");
}

test("a mount point /dev/fd/N that is no /dev/fuse is refused", async () => {
  const place = await Place.make();
  for (const descriptor of ["0", "77"]) {
    const argv = place.mountArguments();
    argv[2] = `/dev/fd/${descriptor}`;
    const ended = await place.pailfs(...argv);
    expect(ended).toEqual({
      code: 78,
      stdout: "",
      stderr: `pailfs: Cannot mount on "/dev/fd/${descriptor}": descriptor ${descriptor} is no open /dev/fuse; start pailfs with one, or name a directory\n`,
    });
  }
});

test("in a user namespace of one's own mount(2) works without fusermount3", async () => {
  const place = await makeUserPlace();
  const script = `
    exec 2>&1
    "$@" || exit
    echo kept >"$MOUNT/f" && cat "$MOUNT/f"
    grep " $MOUNT " /proc/self/mounts
    "$NODE" "$PROGRAM" status "$MOUNT"
    "$NODE" "$PROGRAM" umount "$MOUNT" && ! grep " $MOUNT " /proc/self/mounts`;
  place.variables = {
    ...place.variables,
    MOUNT: place.mountpoint,
    NODE: process.execPath,
    PROGRAM: program,
  };
  const alone = "exec setpriv --reuid 1 --regid 1 --clear-groups unshare -Urm";
  const words = [process.execPath, program, ...place.mountArguments()];
  const { code, stdout } = await shell(place, `${alone} sh -c "$@"`, script, "sh", ...words);
  expect(stdout).toMatch(/^kept\nbucket \S+ fuse\.pailfs rw,nosuid,nodev,[^\n]*user_id=0/);
  expect(stdout).toMatch(/kernel adapter, passthrough off\n$/);
  expect(code).toBe(0);
  expect(await place.isMounted()).toBe(false);
  expect(await place.bucket()).toEqual({ f: md5("kept\n") });
});

// in a mount namespace where other things are in the place of what is needed
const hidden = (path: string): string => `mount --bind /dev/null "$(readlink -f ${path})" &&`;

test("without fusermount3 a user is told what to install", async () => {
  const place = await makeUserPlace();
  const script = `${hidden("/usr/bin/fusermount3")}
    exec setpriv --reuid 1 --regid 1 --clear-groups "$@"`;
  const words = [process.execPath, program, ...place.mountArguments()];
  const ended = await shell(place, `exec unshare --mount sh -c "$@"`, script, "sh", ...words);
  expect(ended).toEqual({
    code: 77,
    stdout: "",
    stderr: `pailfs: Cannot mount on "${place.mountpoint}": fusermount3 is not installed, and only root mounts without it; install it (Debian: apt-get install fuse3)\n`,
  });
});

test("where fusermount3 cannot become root the remedies are told", async () => {
  const place = await makeUserPlace();
  const script = 'exec setpriv --reuid 1 --regid 1 --clear-groups --no-new-privs "$@"';
  const words = [process.execPath, program, ...place.mountArguments()];
  const ended = await shell(place, script, ...words);
  expect(ended).toMatchObject({ code: 77, stdout: "" });
  expect(ended.stderr).toMatch(
    /^pailfs: Cannot mount on [^\n]*Operation not permitted": fusermount3 has to be setuid root and free of NoNewPrivileges; a container[^\n]*\n$/,
  );
});

test("when no way works the error has the reason of each, and the log tells them as they come", async () => {
  const place = await Place.make();
  const script = `${hidden("/dev/fuse")} exec "$@" --foreground --fuse=kernel`;
  const words = [process.execPath, program, ...place.mountArguments()];
  const ended = await shell(place, `exec unshare --mount sh -c "$@"`, script, "sh", ...words);
  expect(ended).toMatchObject({ code: 69, stdout: "" });
  const [first, last] = ended.stderr.trim().split("\n").slice(-2);
  expect(first).toMatch(/ warn Cannot mount [^\n]*; trying fusermount3$/);
  expect(last).toMatch(/^pailfs: by mount\(8\): Cannot [^\n]*; by fusermount3: Cannot mount on /);
  expect(await place.isMounted()).toBe(false);
});

test("goofys's place in a container of a user: its command line mounts, fusermount -u from outside ends it", async () => {
  const place = await makeUserPlace();
  const home = join(place.folder, "home");
  await mkdir(home);
  await run("chown", ["1:1", home]);
  await symlink(program, join(place.folder, "goofys"));
  // as a bind mount with propagation shared: what is mounted inside is seen outside
  await run("mount", ["--bind", place.mountpoint, place.mountpoint]);
  onTestFinished(async () => void (await run("umount", ["-l", place.mountpoint])));
  await run("mount", ["--make-shared", place.mountpoint]);
  const bind = (await readFile("/proc/self/mounts", "utf8")).split(` ${place.mountpoint} `).length;
  const { [0]: key = "", [1]: secret = "" } = Object.values(place.variables);
  place.variables = { AWS_ACCESS_KEY: key, AWS_SECRET_KEY: secret };
  const flags =
    "-f --storage-class=STANDARD --region eu-central-1 --stat-cache-ttl 60m0s --type-cache-ttl 60m0s --dir-mode 0700 --file-mode 0700";
  const { child, ended } = start(
    place,
    `exec unshare --mount --propagation unchanged setpriv --reuid 1 --regid 1 --clear-groups \\
       ./goofys ${flags} --endpoint "$1" bucket:p "$2"`,
    place.endpoint,
    place.mountpoint,
  );
  const isSeen = async (): Promise<boolean> =>
    (await readFile("/proc/self/mounts", "utf8")).includes(
      `bucket:p ${place.mountpoint} fuse.pailfs`,
    );
  await waitUntil("the mount is seen outside", isSeen, 40_000);
  expect(await capabilities(child.pid ?? 0)).toBe("0000000000000000");
  const agent = agentOf();
  const code =
    "with open(p + '/f', 'w') as f: f.write('kept')\ns = os.stat(p); result = [s.st_uid, s.st_mode & 0o777]";
  expect(await agent.run(code, { p: place.mountpoint })).toEqual([daemonUser.uid, 0o700]);
  await run("fusermount", ["-u", place.mountpoint], daemonUser);
  const result = await ended;
  expect(result).toMatchObject({ code: 0, stdout: "" });
  expect(result.stderr).toContain("pailfs: --type-cache-ttl has no effect");
  expect(result.stderr).toContain("mounted bucket:p on");
  // a prefix is a folder to goofys, with or without a slash
  expect(await place.bucket()).toEqual({ "p/f": md5("kept") });
  expect((await readFile("/proc/self/mounts", "utf8")).split(` ${place.mountpoint} `)).toHaveLength(
    bind,
  );
});
