// The seam between the life of a mount (this folder) and what is mounted; daemon/mount.ts puts implementations behind it.
import type { Server } from "node:net";
import type { MountOptions } from "../options/mount-options.ts";
import type { QueueControl } from "./queue-report.ts";
import type { RemovalControl } from "./removal-report.ts";
import type { MountStatus } from "./status.ts";

/**
 * One live mount: it answers when its factory resolved. Calls may run side by side and none of them touches the mount
 * point synchronously. After close() nothing else is called.
 */
export interface MountedFileSystem {
  /** What whoever mounted should hear though the mount is there, in one line. */
  readonly warning?: string | undefined;
  /** Resolves once, when the kernel let go of the mount for good (ENODEV), whoever unmounted it; never rejects. */
  readonly closed: Promise<void>;
  readonly queue: QueueControl;
  readonly removals: RemovalControl;
  /** A snapshot; cheap, waits for nothing. */
  status(): MountStatus;
  /**
   * Resolves when everything that was closed or fsynced before the call, at or below `path` ("/" is all), is in the
   * bucket. Rejects with FsError: EINTR after an abort, ENOENT for an unknown path, EIO for what S3 refuses for good.
   */
  flush(path: string, signal: AbortSignal): Promise<void>;
  /** Makes the mount look at the bucket again for `path` and all below it. */
  refresh(path: string): Promise<void>;
  /**
   * Takes the mount out of the tree with umount(8), never blocking the event loop; `lazy` detaches a busy one, which is
   * then served until `closed`. Rejects with FsError EBUSY when in use. Resolves when it is not mounted any more.
   */
  unmount(options: { readonly lazy: boolean }): Promise<void>;
  /** After `closed`: resolves when the queue is empty, save what S3 refused for good; an abort rejects with EINTR and leaves the rest in the journal. */
  drain(signal: AbortSignal): Promise<void>;
  /** Stops uploads, writes what must be kept and frees everything; the queue stays in the journal. Never rejects. */
  close(): Promise<void>;
}

/**
 * Checks keys and bucket, replays the journal, mounts, and resolves once the kernel's INIT was answered. Rejects with
 * StartError (or FsError) after having undone what it did: nothing stays mounted. `lock` is held by the caller for longer.
 */
export type MountFactory = (options: MountOptions, lock: StateLock) => Promise<MountedFileSystem>;

/** The lock of a state folder: a listening socket in it (state/state-lock.ts). Connections are for the control server. */
export interface StateLock {
  readonly server: Server;
  /** The socket; may be longer than an address may be (callDaemon() knows how). */
  readonly path: string;
  /** Closes the socket and removes it; never rejects. */
  release(): Promise<void>;
}

/** Locks a state folder, which exists; rejects with FsError EBUSY when another daemon holds it. */
export type AcquireLock = (stateDirectory: string) => Promise<StateLock>;

/** What daemon/mount.ts provides for run-daemon.ts. */
export interface DaemonParts {
  readonly acquireLock: AcquireLock;
  readonly mount: MountFactory;
}
