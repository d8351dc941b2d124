// A bucket of a loopback S3 in a process of its own, mounted by the real command.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { testLogin } from "./loopback-s3/loopback-s3.ts";
import { waitUntil } from "./mount/wait-until.ts";

const run = promisify(execFile);
const top = new URL("../../", import.meta.url).pathname;
const COMMAND_MS = 30_000;

export interface RealMount {
  readonly mountpoint: string;
  /** Origin of the S3 server; /_admin/ answers questions about it. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly cacheDirectory: string;
  readonly stateDirectory: string;
  /** Runs a pailfs command; resolves to its output. */
  pailfs(...args: string[]): Promise<string>;
  mount(...options: string[]): Promise<void>;
  /** Waits until the bucket has everything. */
  umount(): Promise<void>;
  /** Requests since the last call, by verb. */
  requests(): Promise<Record<string, number>>;
  admin(path: string, body?: unknown): Promise<unknown>;
  /** Pid of the daemon. */
  daemonPid(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts the server and mounts its bucket with the given command line options. */
export async function startRealMount(...options: string[]): Promise<RealMount> {
  return startMount(options, async () => ({ command: [], end: async () => Promise.resolve() }));
}

/** As startRealMount(), mounted by an ordinary user who may say allow_other. */
export async function startUserMount(...options: string[]): Promise<RealMount> {
  return startMount(options, becomeUser);
}

/** What makes a command somebody else's. */
interface Actor {
  /** What comes before the command. */
  readonly command: readonly string[];
  /** Undoes what was done for it. */
  end(): Promise<void>;
}

async function startMount(
  options: readonly string[],
  prepare: (folder: string) => Promise<Actor>,
): Promise<RealMount> {
  const folder = await dir({ unsafeCleanup: true });
  // other users must get to the mount
  await chmod(folder.path, 0o755);
  const { server, endpoint } = await startServer();
  const mountpoint = join(folder.path, "mnt");
  const cacheDirectory = join(folder.path, "cache");
  const stateDirectory = join(folder.path, "state");
  for (const path of [mountpoint, cacheDirectory, stateDirectory]) await mkdir(path);
  const actor = await prepare(folder.path);
  const runAs = async (command: readonly string[], args: readonly string[]): Promise<string> => {
    const words = [...command, process.execPath, join(top, "bin/pailfs.js"), ...args];
    const { stdout } = await run("env", words, {
      timeout: COMMAND_MS,
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
        AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
      },
    });
    return stdout;
  };
  const pailfs = async (...args: string[]): Promise<string> => runAs([], args);
  const admin = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${endpoint}/_admin/${path}`, init);
    return answer.json();
  };
  const mount: RealMount = {
    mountpoint,
    endpoint,
    bucket: "bucket",
    cacheDirectory,
    stateDirectory,
    pailfs,
    admin,
    mount: async (...more) => {
      const places = ["--cache-dir", cacheDirectory, "--state-dir", stateDirectory];
      const all = [...places, "--min-free", "0", "--endpoint", endpoint, ...options, ...more];
      await runAs(actor.command, ["mount", "bucket", mountpoint, ...all]);
    },
    umount: async () => void (await pailfs("umount", mountpoint)),
    requests: async () => {
      const counts = (await admin("counts")) as Record<string, number>;
      await admin("reset", {});
      return counts;
    },
    daemonPid: async () => {
      const status = JSON.parse(await pailfs("status", "--json", mountpoint)) as { pid: number };
      return status.pid;
    },
    stop: async () => {
      if (await isMounted(mountpoint)) await mount.umount().catch(() => forceUmount(mountpoint));
      server.kill();
      await actor.end();
      await rm(folder.path, { recursive: true, force: true });
    },
  };
  await mount.mount();
  return mount;
}

/** A user whom every Linux has in /etc/passwd, as fusermount3 wants. */
const USER = 1;

// in a mount namespace where /etc/fuse.conf allows allow_other; what is mounted in the folder is seen outside
async function becomeUser(folder: string): Promise<Actor> {
  await openFuseDevice();
  for (const name of ["mnt", "cache", "state"]) await chown(join(folder, name), USER, USER);
  const configuration = join(folder, "fuse.conf");
  await writeFile(configuration, "user_allow_other\n");
  await run("mount", ["--bind", folder, folder]);
  await run("mount", ["--make-shared", folder]);
  const script = `conf=$1; shift
    mount --make-private "$(findmnt -n -o TARGET -T /etc/fuse.conf)" &&
    mount --bind "$conf" /etc/fuse.conf &&
    exec setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@"`;
  const alone = ["unshare", "--mount", "--propagation", "unchanged"];
  return {
    command: [...alone, "sh", "-c", script, "sh", configuration],
    end: async () => {
      await run("umount", ["-l", folder]);
    },
  };
}

/** Gives /dev/fuse to everybody, as udev does; a container may have a node that is root's alone. */
export async function openFuseDevice(): Promise<void> {
  const { mode } = await stat("/dev/fuse");
  if ((mode & 0o6) !== 0o6) await chmod("/dev/fuse", 0o666);
}

/** Whether anything is mounted at `path`. */
export async function isMounted(path: string): Promise<boolean> {
  return (await readFile("/proc/self/mounts", "utf8")).includes(` ${path} `);
}

async function forceUmount(path: string): Promise<void> {
  await run("umount", ["-l", path], { timeout: COMMAND_MS });
  await waitUntil("the mount is gone", async () => !(await isMounted(path)));
}

async function startServer(): Promise<{ server: ChildProcess; endpoint: string }> {
  const main = join(top, "dist/test-support/loopback-s3/main.js");
  const server = spawn(process.execPath, [main, "--port", "0", "--bucket", "bucket"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    const endpoint = /^listening (\S+)/.exec(line)?.[1];
    if (endpoint) return { server, endpoint };
  }
  throw new Error("The loopback S3 did not start: was `npm run build` run?");
}
