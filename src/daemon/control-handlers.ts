// The verbs of the control socket, on one mount.
import type { MountOptions } from "../options/mount-options.ts";
import type { ControlProgress, UmountResult } from "./control-protocol.ts";
import type { ControlHandler } from "./control-server.ts";
import type { DaemonLife } from "./daemon-life.ts";
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
    umount: async (given, progress) => umount(life, given, progress),
  };
}

function daemonStatus(options: MountOptions, life: DaemonLife, version: string): DaemonStatus {
  return {
    ...life.mount.status(),
    source: options.source,
    mountpoint: options.mountpoint,
    bucket: options.s3.bucket,
    prefix: options.s3.prefix,
    pid: process.pid,
    version,
    startedMs: life.startedMs,
    phase: life.phase,
    memoryBytes: process.memoryUsage.rss(),
  };
}

// the peer may leave: what was begun goes on without it
async function umount(
  life: DaemonLife,
  given: Readonly<Record<string, unknown>>,
  progress: (progress: ControlProgress) => void,
): Promise<UmountResult> {
  await life.unmount(given["lazy"] === true);
  if (given["wait"] !== true) return { left: life.mount.status().queue.length };
  await reporting(life, progress, async () => life.ended);
  return { left: life.left };
}

async function reporting(
  life: DaemonLife,
  progress: (progress: ControlProgress) => void,
  work: () => Promise<void>,
): Promise<void> {
  const report = (): void => {
    const { length, bytes, lastError } = life.mount.status().queue;
    const phase = life.phase === "unmounting" ? "busy" : life.phase;
    progress({ phase, length, bytes, ...(lastError && { lastError: lastError.message }) });
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
