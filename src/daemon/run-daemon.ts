// The life of one mount: lock, mount, serve, stop. Knows nothing of how mounting is done.
import { log } from "../log.ts";
import type { MountOptions } from "../options/mount-options.ts";
import { errnoOf, Errno } from "../posix/errno.ts";
import { controlHandlers, daemonStatus } from "./control-handlers.ts";
import { type ControlServer, serveControl } from "./control-server.ts";
import { DaemonLife } from "./daemon-life.ts";
import type { DaemonParts, MountedFileSystem, StateLock } from "./mount-contract.ts";
import { removeMountRecord, writeMountRecord } from "./mount-record.ts";
import type { MetricsServer } from "./metrics/metrics-server.ts";
import { type ServiceManagerAddress, tellServiceManager } from "./service-manager.ts";
import { StartError, toStartError } from "./start-error.ts";
import type { DaemonStatus } from "./status.ts";

/** What a daemon needs beside its options. */
export interface DaemonSurroundings {
  /** Where to leave the record that commands find the daemon by; the first that can be written. */
  readonly runtimeDirectories: readonly string[];
  readonly version: string;
  /** Whom to tell of being ready, alive and stopping. */
  readonly serviceManager?: ServiceManagerAddress | undefined;
}

export interface RunningDaemon {
  /** What whoever mounted should hear though the mount is there. */
  readonly warning: string | undefined;
  /** Resolves when nothing is mounted any more, the queue was drained or left, and everything is closed. */
  readonly finished: Promise<void>;
  /** Unmounts (detaching when busy), drains and ends; called again it leaves the queue to the next start. */
  stop(): void;
  /** Looks at the bucket again. */
  refresh(): void;
}

/** Starts a mount; resolves once it answers, rejects with StartError with nothing left behind. */
export async function startDaemon(
  options: MountOptions,
  parts: DaemonParts,
  surroundings: DaemonSurroundings,
): Promise<RunningDaemon> {
  const lock = await lockState(options, parts);
  let mount: MountedFileSystem;
  let life: DaemonLife | undefined;
  let metrics: MetricsServer | undefined;
  try {
    // before the mount, as it is the place that may be taken
    metrics = await startMetrics(
      options,
      () => life && daemonStatus(options, life, surroundings.version),
    );
    mount = await parts.mount(options, lock);
  } catch (error) {
    await metrics?.close();
    await lock.release();
    throw toStartError(error);
  }
  life = new DaemonLife(mount);
  const record = await writeMountRecord(surroundings.runtimeDirectories, {
    mountpoint: options.mountpoint,
    source: options.source,
    pid: process.pid,
    socketPath: lock.path,
    startedMs: Date.now(),
    umountWaitMs: options.daemon.umountWaitMs,
  });
  if (record === undefined) {
    log.warn(
      "No run-time directory can be written: pailfs status and umount will not find this mount",
    );
  }
  const control = serveControl(lock.server, controlHandlers(options, life, surroundings.version));
  log.info("mounted %s on %s", options.source, options.mountpoint);
  if (mount.warning !== undefined) log.warn("%s", mount.warning);
  const { serviceManager } = surroundings;
  if (serviceManager) await tellServiceManager(life, options.mountpoint, serviceManager);
  return {
    warning: mount.warning,
    finished: finish({ life, control, lock, record, metrics }),
    stop: () => life.stop(),
    refresh: () => void refreshAll(mount),
  };
}

async function lockState(options: MountOptions, parts: DaemonParts): Promise<StateLock> {
  const { stateDirectory } = options.spool;
  try {
    return await parts.acquireLock(stateDirectory);
  } catch (error) {
    if (errnoOf(error) !== Errno.EBUSY) throw toStartError(error);
    throw new StartError(
      "temporary",
      `Cannot mount ${options.source}: another pailfs uses ${stateDirectory}; it is mounted elsewhere, or still uploading (see: pailfs status)`,
      { cause: error },
    );
  }
}

async function startMetrics(
  options: MountOptions,
  status: () => DaemonStatus | undefined,
): Promise<MetricsServer | undefined> {
  const { metrics } = options.daemon;
  if (metrics === undefined) return undefined;
  // costs memory, so it is loaded for those who want it
  const { serveMetrics } = await import("./metrics/metrics-server.ts");
  return serveMetrics(metrics, status);
}

interface Running {
  readonly life: DaemonLife;
  readonly control: ControlServer;
  readonly lock: StateLock;
  readonly record: string | undefined;
  readonly metrics: MetricsServer | undefined;
}

async function finish({ life, control, lock, record, metrics }: Running): Promise<void> {
  await life.ended;
  // answers to `pailfs umount` go out before anything is closed
  await control.close(1000);
  await metrics?.close();
  await life.mount.close();
  if (record !== undefined) await removeMountRecord(record);
  await lock.release();
  log.info("stopped, %d in the queue", life.left);
}

// never rejects
async function refreshAll(mount: MountedFileSystem): Promise<void> {
  try {
    await mount.refresh("/");
  } catch (error) {
    log.warn("refresh failed: %s", error instanceof Error ? error.message : error);
  }
}
