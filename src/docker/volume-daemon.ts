// The daemon of one volume: a `pailfs mount` of its own session, which outlives the plugin. Seen by its mount point and
// its control socket only.
import { spawn } from "node:child_process";
import { chmod, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { NoDaemonError, callDaemon } from "../daemon/control-client.ts";
import { makeDirectory } from "../daemon/make-directory.ts";
import { type MountRecord, readMountRecords } from "../daemon/mount-record.ts";
import { findMount } from "../daemon/mount-table.ts";
import { isDeadMount, removeStaleMounts } from "../daemon/stale-mount.ts";
import { StartError } from "../daemon/start-error.ts";
import type { DaemonStatus } from "../daemon/status.ts";
import { log } from "../log.ts";

/** How daemons are started and found. */
export interface DaemonPlaces {
  /** How to run pailfs. */
  readonly command: readonly [string, ...string[]];
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Where daemons leave their records. */
  readonly runtimeDirectories: readonly string[];
}

/** What tells a daemon from another one that was mounted at the same place since. */
export interface FormerDaemon {
  readonly mountpoint: string;
  /** Of its bucket and prefix; the control socket is in it. */
  readonly stateDirectory: string;
}

// dockerd waits 120 s for a mount
const MOUNT_MS = 100_000;
// of a process that should be there
const STATUS_MS = 300;

/** One volume's daemon, whether it runs or not. */
export interface VolumeDaemon {
  readonly mountpoint: string;
  /** Whether something is mounted there, dead or not; waits for nobody. */
  isListed(): Promise<boolean>;
  /** Whether it is mounted and answers. */
  isMounted(): Promise<boolean>;
  /** Mounts with the arguments of a command line; a dead mount is removed first. Rejects with StartError. */
  mount(words: readonly string[]): Promise<void>;
  /** What its daemon says; undefined when none answers soon. */
  status(): Promise<DaemonStatus | undefined>;
  /** Waits until everything is in the bucket, at most `timeoutMs` and not for an S3 that has failed for `failingMs`; never rejects. */
  flush(timeoutMs: number, failingMs: number): Promise<void>;
  /**
   * Unmounts, lazily if asked, and resolves to what is left in the journal when its daemon is through (Infinity: no daemon
   * was there to say it); rejects with StartError, also when `signal` fires: the daemon goes on then.
   */
  unmount(lazy: boolean, signal: AbortSignal): Promise<number>;
  /** Removes the empty directory; never rejects. */
  removeDirectory(): Promise<void>;
}

/** A process of its own session, found by its record in the run-time directories. */
export class DaemonProcess implements VolumeDaemon {
  readonly mountpoint: string;
  readonly #places: DaemonPlaces;
  readonly #former: FormerDaemon | undefined;

  /** With a `former` place a daemon that was mounted there, on the same journal, is meant too. */
  constructor(mountpoint: string, places: DaemonPlaces, former?: FormerDaemon) {
    this.mountpoint = mountpoint;
    this.#places = places;
    this.#former = former;
  }

  async isListed(): Promise<boolean> {
    return (await findMount(this.mountpoint)) !== undefined;
  }

  async isMounted(): Promise<boolean> {
    const entry = await findMount(this.mountpoint);
    return entry?.type.startsWith("fuse") === true && !(await isDeadMount(this.mountpoint));
  }

  async mount(words: readonly string[]): Promise<void> {
    await removeStaleMounts(this.mountpoint);
    await makeDirectory(this.mountpoint, 0o700);
    // who gets here without the mount sees nothing
    await chmod(this.mountpoint, 0o000);
    await this.#run(words);
    // dockerd would bind the bare directory, and containers would write to the local disk
    if (await this.isMounted()) return;
    throw new StartError("runtime", `Cannot mount on ${this.mountpoint}: it is not to be seen`);
  }

  async status(): Promise<DaemonStatus | undefined> {
    const record = await this.#record();
    if (record === undefined) return undefined;
    const signal = AbortSignal.timeout(STATUS_MS);
    return callDaemon(record.socketPath, "status", {}, { signal }).catch(() => undefined);
  }

  async flush(timeoutMs: number, failingMs: number): Promise<void> {
    const record = await this.#record();
    if (record === undefined) return;
    const hopeless = new AbortController();
    const signal = AbortSignal.any([hopeless.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await callDaemon(
        record.socketPath,
        "flush",
        { path: "/" },
        {
          signal,
          onProgress: ({ failingSinceMs = Infinity }) => {
            if (Date.now() - failingSinceMs > failingMs) hopeless.abort();
          },
        },
      );
    } catch (error) {
      log.info("%s is not uploaded yet: %s", this.mountpoint, (error as Error).message);
    }
  }

  async unmount(lazy: boolean, signal: AbortSignal): Promise<number> {
    const record = await this.#record();
    const given = { lazy, wait: true };
    try {
      if (record !== undefined) {
        const how = { untilGone: true, signal };
        return (await callDaemon(record.socketPath, "umount", given, how)).left;
      }
    } catch (error) {
      // it is dead, and its record has outlived it
      if (!(error instanceof NoDaemonError)) throw error;
    }
    await removeStaleMounts(this.mountpoint);
    return Number.POSITIVE_INFINITY;
  }

  async removeDirectory(): Promise<void> {
    await rmdir(this.mountpoint).catch(() => undefined);
  }

  async #record(): Promise<MountRecord | undefined> {
    const records = await readMountRecords(this.#places.runtimeDirectories);
    const former = this.#former;
    return records.find(
      ({ mountpoint, socketPath }) =>
        mountpoint === this.mountpoint ||
        (mountpoint === former?.mountpoint && dirname(socketPath) === former.stateDirectory),
    );
  }

  async #run(words: readonly string[]): Promise<void> {
    const [program, ...before] = this.#places.command;
    const child = spawn(program, [...before, ...words], {
      cwd: "/",
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...this.#places.variables },
      timeout: MOUNT_MS,
    });
    let told = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (told += text));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new StartError("runtime", `Cannot start pailfs: ${cause.message}`, { cause })),
      );
      child.once("close", resolve);
    });
    const lines = told.split("\n").filter((line) => line !== "");
    for (const line of lines) log.info("%s", line);
    if (code === 0) return;
    const reason = lines.at(-1)?.replace(/^(<\d>)?pailfs: /, "") ?? `status ${code}`;
    throw new StartError("runtime", code === null ? `No answer from the daemon` : reason);
  }
}
