// The real command in a folder of its own, with an S3 server that can be stopped and started again at the same place.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { onTestFinished } from "vitest";
import {
  type LoopbackProcess,
  spawnLoopback,
  stopLoopback,
  untilListening,
} from "../support/loopback-process.ts";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import type { DaemonStatus } from "../../src/daemon/status.ts";

const top = new URL("../../", import.meta.url).pathname;
const COMMAND_MS = 45_000;

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with mount point, cache and state, and a server; gone, with what is mounted there, after the test. */
export class Place {
  readonly folder: string;
  readonly mountpoint: string;
  readonly cache: string;
  readonly state: string;
  readonly endpoint: string;
  readonly #port: number;
  #server: LoopbackProcess | undefined;
  readonly #daemons = new Set<number>();
  /** Words before each command, such as prlimit(1)'s. */
  prefix: readonly string[] = [];
  variables: Record<string, string> = {
    AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
    AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
  };

  /** Whose commands they are, where it is not this process's user. */
  user: { readonly uid: number; readonly gid: number } | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.mountpoint = join(folder, "mnt");
    this.cache = join(folder, "cache");
    this.state = join(folder, "state");
    this.endpoint = `http://127.0.0.1:${port}`;
    this.#port = port;
  }

  /** Serves an empty bucket called "bucket"; mounts nothing. */
  static async make(): Promise<Place> {
    const folder = await dir({ unsafeCleanup: true, prefix: "pailfs-daemon-" });
    const place = new Place(folder.path, await freePort());
    onTestFinished(async () => {
      await place.#clear();
      await folder.cleanup();
    });
    await mkdir(place.mountpoint);
    await place.startServer();
    return place;
  }

  /** As make(), mounted, with a directory d of which everything is known, S3 or not. */
  static async mounted(...options: string[]): Promise<Place> {
    const place = await Place.make();
    await place.mount(...options);
    await mkdir(place.path("d"));
    return place;
  }

  /** The arguments of `pailfs mount` here. */
  mountArguments(...more: string[]): string[] {
    const places = ["--cache-dir", this.cache, "--state-dir", this.state, "--min-free", "0"];
    return ["mount", "bucket", this.mountpoint, ...places, "--endpoint", this.endpoint, ...more];
  }

  /** Runs one command to its end; never rejects. */
  async pailfs(...argv: string[]): Promise<Ended> {
    const { child, ended } = this.start(...argv);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, COMMAND_MS);
    const result = await ended;
    clearTimeout(timer);
    return isLate ? { ...result, stderr: `${result.stderr}${await this.#explainHang()}` } : result;
  }

  /** Starts one command. */
  start(...argv: string[]): { child: ChildProcess; ended: Promise<Ended> } {
    const words = [...this.prefix, process.execPath, join(top, "bin/pailfs.js"), ...argv];
    const child = spawn(words[0] ?? "", words.slice(1), {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      ...this.user,
      env: {
        PATH: process.env["PATH"],
        HOME: this.folder,
        NODE_DEBUG: process.env["NODE_DEBUG"],
        PAILFS_RUNTIME_DIR: join(this.folder, "run"),
        ...this.variables,
      },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
    const ended = new Promise<Ended>((resolve) => {
      child.once("close", (code) => resolve({ code, stdout, stderr }));
    });
    return { child, ended };
  }

  /** Mounts and remembers the daemon; rejects unless that went well, with nothing to say. */
  async mount(...options: string[]): Promise<number> {
    const ended = await this.pailfs(...this.mountArguments(...options));
    // a developer's /tmp may be one
    const said = ended.stderr.replace(/^pailfs: state_dir=.* lies in memory .*\n/, "");
    if (ended.code !== 0 || said !== "") throw new Error(JSON.stringify(ended));
    return this.daemonPid();
  }

  async umount(...options: string[]): Promise<void> {
    const ended = await this.pailfs("umount", this.mountpoint, ...options);
    if (ended.code !== 0 || ended.stderr !== "") throw new Error(JSON.stringify(ended));
  }

  async status(): Promise<DaemonStatus> {
    const { code, stdout, stderr } = await this.pailfs("status", "--json", this.mountpoint);
    if (code !== 0) throw new Error(`status ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as DaemonStatus;
  }

  async daemonPid(): Promise<number> {
    const { pid } = await this.status();
    this.#daemons.add(pid);
    return pid;
  }

  path(name: string): string {
    return join(this.mountpoint, name);
  }

  async isMounted(): Promise<boolean> {
    return (await readFile("/proc/self/mounts", "utf8")).includes(` ${this.mountpoint} `);
  }

  /** `inMemory`: objects do not survive stopServer(), but may be uploaded in parts. */
  async startServer(inMemory = false): Promise<void> {
    const folder = inMemory ? undefined : join(this.folder, "bucket");
    this.#server = spawnLoopback(this.#port, folder);
    await untilListening(this.#server);
  }

  /** From now on connections are refused; objects stay. */
  async stopServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await stopLoopback(server);
  }

  async admin(path: string, body?: unknown): Promise<unknown> {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${this.endpoint}/_admin/${path}`, init);
    return answer.json();
  }

  /** MD5 of each object uploaded in one piece, by key. */
  async bucket(): Promise<Record<string, string>> {
    const keys = (await this.admin("keys")) as { key: string; etag: string }[];
    return Object.fromEntries(keys.map(({ key, etag }) => [key, etag]));
  }

  /** What a daemon does that keeps a command waiting. */
  async #explainHang(): Promise<string> {
    const lines = [`killed after ${COMMAND_MS} ms; mounted: ${await this.isMounted()}`];
    for (const pid of this.#daemons) {
      const where = await readFile(`/proc/${pid}/wchan`, "utf8").catch(() => "gone");
      lines.push(`daemon ${pid}: ${where}`);
    }
    const { child, ended } = this.start("status", "--json");
    const timer = setTimeout(() => child.kill("SIGKILL"), 6000);
    lines.push(JSON.stringify(await ended));
    clearTimeout(timer);
    return lines.join("\n");
  }

  async #clear(): Promise<void> {
    for (const pid of this.#daemons) signal(pid, "SIGKILL");
    // of a mount that failed and should have left nothing
    const umount = async (): Promise<void> => {
      const child = spawn("umount", ["-i", "-l", this.mountpoint], { stdio: "ignore" });
      await new Promise((resolve) => child.once("close", resolve));
    };
    while (await this.isMounted()) await umount();
    for (const pid of this.#daemons) {
      await waitUntil(`the daemon ${pid} is gone`, () => !isAlive(pid));
    }
    await this.stopServer();
  }
}

/** Sends a signal; a process that is gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone
  }
}

/** Whether a process is there and no zombie, which is its parent's to take away. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export function md5(data: Uint8Array | string): string {
  return createHash("md5").update(data).digest("hex");
}

/** Bytes that no other test writes. */
export function bytes(length: number): Buffer {
  return randomBytes(length);
}

/** The errno's name of what a promise rejects with, "" when it resolves. */
export async function errnoOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error: NodeJS.ErrnoException) => error.code ?? String(error),
  );
}

/** Below the ports that the kernel hands out, so that nobody else gets it while the server is stopped. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
