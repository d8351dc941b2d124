// A bucket of a loopback S3 in a process of its own, mounted by the real command.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, rm } from "node:fs/promises";
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
  const folder = await dir({ unsafeCleanup: true });
  // other users must get to the mount
  await chmod(folder.path, 0o755);
  const { server, endpoint } = await startServer();
  const mountpoint = join(folder.path, "mnt");
  const cacheDirectory = join(folder.path, "cache");
  const stateDirectory = join(folder.path, "state");
  await mkdir(mountpoint);
  const pailfs = async (...args: string[]): Promise<string> => {
    const { stdout } = await run(process.execPath, [join(top, "bin/pailfs.js"), ...args], {
      timeout: COMMAND_MS,
      env: {
        ...process.env,
        AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
        AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
      },
    });
    return stdout;
  };
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
      await pailfs("mount", "bucket", mountpoint, ...all);
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
      await rm(folder.path, { recursive: true, force: true });
    },
  };
  await mount.mount();
  return mount;
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
