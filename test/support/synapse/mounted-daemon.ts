// The real command, mounting a bucket in a folder of its own.
import { execFile } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { callDaemon } from "../../../src/daemon/control-client.ts";
import { readMountRecords } from "../../../src/daemon/mount-record.ts";
import type { DaemonStatus } from "../../../src/daemon/status.ts";
import { testLogin } from "../loopback-s3/loopback-s3.ts";
import { isMounted } from "../mount/mount-in-child.ts";
import { waitUntil } from "../mount/wait-until.ts";
import type { GatedBucket } from "./gated-bucket.ts";

const run = promisify(execFile);
const bin = new URL("../../../bin/pailfs.js", import.meta.url).pathname;
const COMMAND_MS = 120_000;

export class MountedDaemon {
  readonly mountpoint: string;
  readonly cacheDirectory: string;
  readonly stateDirectory: string;
  readonly #folder: string;
  readonly #runtimeDirectory: string;
  readonly #bucket: GatedBucket;
  readonly #options: readonly string[];
  #pid = 0;
  // asked directly: a command is a process, and tests ask often
  #socketPath = "";

  constructor(folder: string, bucket: GatedBucket, options: readonly string[]) {
    this.#folder = folder;
    this.#bucket = bucket;
    this.#options = options;
    this.#runtimeDirectory = join(folder, "run");
    this.mountpoint = join(folder, "mnt");
    this.cacheDirectory = join(folder, "cache");
    this.stateDirectory = join(folder, "state");
  }

  /** Of the daemon that was mounted last. */
  get pid(): number {
    return this.#pid;
  }

  /** Mounts, with more options than those of the constructor if given. */
  async mount(...options: string[]): Promise<void> {
    for (const path of [this.mountpoint, this.cacheDirectory, this.stateDirectory]) {
      // a mount that is there already is not asked
      if (!(await isMounted(path))) await mkdir(path, { recursive: true });
    }
    const places = ["--cache-dir", this.cacheDirectory, "--state-dir", this.stateDirectory];
    const log = ["--log-file", join(this.#folder, "pailfs.log")];
    const all = [...places, ...log, "--min-free", "0", "--endpoint", this.#bucket.endpoint];
    const words = [...all, ...this.#options, ...options];
    await this.pailfs("mount", this.#bucket.name, this.mountpoint, ...words);
    const [record] = await readMountRecords([this.#runtimeDirectory]);
    if (record === undefined) throw new Error("the daemon left no record");
    this.#pid = record.pid;
    this.#socketPath = record.socketPath;
  }

  /** Waits until the bucket has everything. */
  async umount(): Promise<void> {
    await this.pailfs("umount", this.mountpoint);
  }

  /** Mounts again with an empty cache, as after a reboot with the cache lost; names stay known. */
  async remountCold(): Promise<void> {
    await this.umount();
    await rm(this.cacheDirectory, { recursive: true });
    await this.mount();
  }

  /** Mounts again on an empty cache and an empty state, as on another host. */
  async remountEmpty(): Promise<void> {
    await this.umount();
    for (const path of [this.cacheDirectory, this.stateDirectory])
      await rm(path, { recursive: true });
    await this.mount();
  }

  /** Resolves once everything closed before is in the bucket. */
  async flush(): Promise<void> {
    await callDaemon(this.#socketPath, "flush", { path: "/" });
  }

  /** As flush(), and deletions and copies are done too. */
  async settled(timeoutMs = 60_000): Promise<void> {
    await this.flush();
    const isEmpty = async (): Promise<boolean> => (await this.status()).queue.length === 0;
    await waitUntil("the queue is empty", isEmpty, timeoutMs);
  }

  async status(): Promise<DaemonStatus> {
    return callDaemon(this.#socketPath, "status", {});
  }

  /** Runs a pailfs command; resolves to its output. */
  async pailfs(...args: string[]): Promise<string> {
    const env = {
      ...process.env,
      PAILFS_RUNTIME_DIR: this.#runtimeDirectory,
      AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
      AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
    };
    const words = [bin, ...args];
    return (await run(process.execPath, words, { timeout: COMMAND_MS, env })).stdout;
  }

  /** Kills the daemon with SIGKILL and waits until it is gone; what is mounted stays, dead. */
  async kill(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    await waitUntil("the daemon is gone", async () => !(await isAlive(this.#pid)));
  }

  /** What the daemons have logged. */
  async log(): Promise<string> {
    return readFile(join(this.#folder, "pailfs.log"), "utf8").catch(() => "");
  }

  /** Unmounts and ends the daemon, whatever state they are in. */
  async stop(): Promise<void> {
    if (await isMounted(this.mountpoint)) await this.umount().catch(() => undefined);
    if (await isMounted(this.mountpoint)) await run("umount", ["-l", this.mountpoint]);
    if (this.#pid > 0 && (await isAlive(this.#pid))) await this.kill();
  }
}

// of a pid that may be another process's by now; a zombie is gone
async function isAlive(pid: number): Promise<boolean> {
  const path = `/proc/${pid}`;
  const [words, stat] = await Promise.all(
    ["cmdline", "stat"].map((name) => readFile(join(path, name), "utf8").catch(() => "")),
  );
  return words?.includes("pailfs") === true && !/\) [ZX] /.test(stat ?? "");
}
