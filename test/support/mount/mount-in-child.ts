import { type ChildProcess, execFile, fork } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { KernelMountOptions, MountCounts } from "../../../src/fuse/session.ts";
import type { MemoryFileSystemOptions } from "../memory-file-system.ts";
import type { Command, DaemonOptions } from "./daemon.ts";
import { waitUntil } from "./wait-until.ts";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;

let built: Promise<string> | undefined;

/** Compiles this folder and what it imports, once per test process; returns the path of one of its daemons. */
async function buildDaemon(name: "daemon" | "recorder"): Promise<string> {
  built ??= run(process.execPath, [
    join(top, "node_modules/typescript/bin/tsc"),
    "-p",
    join(top, "test/support/mount"),
  ]).then(() => join(top, "dist/test-support/built/test/support/mount"));
  return join(await built, `${name}.js`);
}

/** What differs from a plain mount of an empty in-memory file system. */
export interface MountInChildOptions {
  readonly mount?: Partial<KernelMountOptions>;
  /** Through the npm package fuse-native. */
  readonly native?: boolean;
  readonly fileSystem?: MemoryFileSystemOptions;
  /** Contents get a descriptor, so that passthrough is possible. */
  readonly backed?: boolean;
  readonly delays?: Readonly<Record<string, number>>;
  /** The in-memory file system notes all changes; its daemon obeys "dump" alone. */
  readonly recording?: boolean;
  /** Another program that speaks the daemon's commands, compiled. */
  readonly daemon?: string;
  readonly env?: NodeJS.ProcessEnv;
}

interface Message {
  readonly id?: number;
  readonly closed?: boolean;
  readonly result?: unknown;
  readonly error?: string;
}

/** A mount served by another process. */
export class ChildMount {
  readonly mountpoint: string;
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #lastId = 0;
  /** Resolves when the daemon's session has closed, or the daemon is gone. */
  readonly closed: Promise<void>;

  constructor(directory: string, mountpoint: string, child: ChildProcess) {
    this.#directory = directory;
    this.mountpoint = mountpoint;
    this.#child = child;
    this.closed = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.on("message", (message: Message) => {
        if (message.closed === true) resolve();
        if (message.id !== undefined) this.#waiting.get(message.id)?.(message);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The path of a file in the mount. */
  path(name: string): string {
    return join(this.mountpoint, name);
  }

  command(command: Command): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      });
      this.#child.send({ id, command });
    });
  }

  async counts(): Promise<MountCounts> {
    return (await this.command({ do: "counts" })) as MountCounts;
  }

  async calls(): Promise<Record<string, number>> {
    return (await this.command({ do: "calls" })) as Record<string, number>;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Whether the kernel still lists the mount. */
  async isMounted(): Promise<boolean> {
    return isMounted(this.mountpoint);
  }

  /** Ends a daemon that did not mount, and removes its directory; what else is at the mountpoint stays. */
  async discard(): Promise<void> {
    await this.#end();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Unmounts, ends the daemon and removes its directory, whatever state all that is in. */
  async stop(): Promise<void> {
    if (await this.isMounted()) await run("umount", ["-i", "-c", "-l", this.mountpoint]);
    await this.#end();
    await waitUntil("the mount is gone", async () => !(await this.isMounted()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 3000);
    await gone;
    clearTimeout(timer);
  }
}

/** Whether anything is mounted at `mountpoint`; asks the kernel's list, not the mount. */
export async function isMounted(mountpoint: string): Promise<boolean> {
  return (await readFile("/proc/self/mountinfo", "utf8")).includes(` ${mountpoint} `);
}

/** Mounts in a child process; resolves when the mount answers. */
export async function mountInChild(options: MountInChildOptions = {}): Promise<ChildMount> {
  const daemon = options.daemon ?? (await buildDaemon(options.recording ? "recorder" : "daemon"));
  const directory = await mkdtemp(join(tmpdir(), "pailfs-mount-"));
  await chmod(directory, 0o755); // other users are to get through
  const mountpoint = options.mount?.mountpoint ?? join(directory, "mnt");
  const backing = join(directory, "backing");
  if (mountpoint.startsWith(directory)) await mkdir(mountpoint);
  await mkdir(backing);
  const daemonOptions: DaemonOptions = {
    mount: {
      source: "test",
      readOnly: false,
      allowOther: true,
      passthrough: "off",
      readAheadKb: 1024,
      ...options.mount,
      mountpoint,
    },
    fileSystem: {
      ...options.fileSystem,
      ...(options.backed === true && { backingDirectory: backing }),
    },
    delays: options.delays ?? {},
    native: options.native ?? false,
  };
  const child = fork(daemon, [JSON.stringify(daemonOptions)], {
    cwd: "/",
    execArgv: [],
    ...(options.env !== undefined && { env: { ...process.env, ...options.env } }),
  });
  const mounted = new ChildMount(directory, mountpoint, child);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`the daemon ended with ${code}`)));
      child.on("message", (message: { ready?: boolean; failed?: string }) => {
        if (message.ready === true) resolve();
        if (message.failed !== undefined) reject(new Error(message.failed));
      });
    });
  } catch (error) {
    await mounted.discard();
    throw error;
  }
  return mounted;
}
