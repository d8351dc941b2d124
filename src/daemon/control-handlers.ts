// The verbs of the control socket, on one mount.
import type { MountOptions } from "../options/mount-options.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import type { ControlProgress, UmountResult } from "./control-protocol.ts";
import type { ControlHandler } from "./control-server.ts";
import type { DaemonLife } from "./daemon-life.ts";
import { queueHandlers } from "./queue-handlers.ts";
import { removalHandlers } from "./removal-handlers.ts";
import { StartError } from "./start-error.ts";
import type { DaemonStatus } from "./status.ts";

const progressIntervalMs = 250;

/** A handler for each verb. */
export function controlHandlers(
  options: MountOptions,
  life: DaemonLife,
  version: string,
): Readonly<Record<string, ControlHandler>> {
  return {
    status: async () => daemonStatus(options, life, version),
    version: async () => ({ version }),
    flush: async (given, progress, signal) => {
      const path = pathOf(given);
      await reporting(life, progress, async () => life.mount.flush(path, signal));
    },
    refresh: async (given) => life.mount.refresh(pathOf(given)),
    ...queueHandlers(life.mount.queue),
    ...removalHandlers(life.mount.removals),
    umount: async (given, progress) => {
      await unmount(life, options.mountpoint, given["lazy"] === true);
      return drained(life, given["wait"] === true, progress);
    },
  };
}

/** The mount's status with what the daemon knows. */
export function daemonStatus(
  options: MountOptions,
  life: DaemonLife,
  version: string,
): DaemonStatus {
  return {
    ...life.mount.status(),
    source: options.source,
    mountpoint: options.mountpoint,
    bucket: options.s3.bucket,
    prefix: options.s3.prefix,
    readOnly: options.fs.readOnly,
    pid: process.pid,
    version,
    startedMs: life.startedMs,
    phase: life.phase,
    memoryBytes: process.memoryUsage.rss(),
  };
}

async function unmount(life: DaemonLife, mountpoint: string, lazy: boolean): Promise<void> {
  try {
    await life.unmount(lazy);
  } catch (error) {
    if (errnoOf(error) !== Errno.EBUSY) throw error;
    throw new StartError(
      "temporary",
      `Cannot unmount "${mountpoint}": it is in use; end what uses it (see: fuser -vm ${mountpoint}), or detach it with --lazy`,
      { cause: error },
    );
  }
}

// the peer may leave: what was begun goes on without it
async function drained(
  life: DaemonLife,
  wait: boolean,
  progress: (progress: ControlProgress) => void,
): Promise<UmountResult> {
  if (!wait) return { left: life.mount.status().queue.length };
  await reporting(life, progress, async () => life.ended);
  return { left: life.left };
}

async function reporting(
  life: DaemonLife,
  progress: (progress: ControlProgress) => void,
  work: () => Promise<void>,
): Promise<void> {
  const report = (): void => {
    const { queue, failingSinceMs } = life.mount.status();
    const { length, bytes, lastError } = queue;
    const phase = life.phase === "unmounting" ? "busy" : life.phase;
    progress({
      phase,
      length,
      bytes,
      ...(lastError && { lastError: lastError.message }),
      ...(failingSinceMs !== undefined && { failingSinceMs }),
    });
  };
  const timer = setInterval(report, progressIntervalMs);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  report();
}

function pathOf(given: Readonly<Record<string, unknown>>): string {
  const path = given["path"];
  if (typeof path === "string" && path.startsWith("/")) return path;
  throw new StartError(
    "usage",
    `Cannot use path "${String(path)}": want an absolute path of the mount`,
  );
}
