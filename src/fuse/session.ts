import { stat } from "node:fs/promises";
import type { FileSystem } from "../fs/file-system.ts";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { loadSystemCalls } from "../posix/syscalls.ts";
import { unmount } from "../posix/unmount.ts";
import { log } from "../log.ts";
import { Adapter } from "./kernel/adapter.ts";
import { Connection } from "./kernel/connection.ts";
import { type AttachedDevice, attachDevice, inheritDevice } from "./kernel/attach.ts";
import { setReadAhead } from "./kernel/mount.ts";
import type { ThreadHandles } from "./native/thread-watch.ts";
import { Notifications } from "./kernel/notifications.ts";
import { Pruner } from "./kernel/pruner.ts";
import type { InitReply } from "./kernel/reply.ts";
import type { OperationCounts } from "./operation-counts.ts";
import { startWatchdog } from "./kernel/watchdog.ts";

/** One live mount. */
export interface MountSession {
  /** Settles once: the kernel is gone, the last operation has settled, every handle is released. Never rejects. */
  readonly closed: Promise<void>;
  /** "busy" when files are open there: nothing changed. `lazy` frees the name at once and serves open files until the last is closed. Idempotent. */
  unmount(lazy?: boolean): Promise<"done" | "busy">;
  /** What is held at this moment. */
  counts(): MountCounts;
}

/** For metrics and tests. */
export interface MountCounts {
  /** Names the kernel knows, the root included; 0 where libfuse keeps them. */
  readonly nodes: number;
  readonly files: number;
  readonly directories: number;
  /** Requests not yet answered. */
  readonly inFlight: number;
  /** Whether files may be read and written by the kernel alone. */
  readonly passthrough: boolean;
  /** What was answered so far. */
  readonly answered: OperationCounts;
  /** Of fuse-native alone. */
  readonly threadHandles?: ThreadHandles;
}

/** How to mount with the kernel's protocol. */
export interface KernelMountOptions {
  /** Shown as the device in mount tables. */
  readonly source: string;
  readonly mountpoint: string;
  /** A FUSE device that this process was started with and that is mounted already; the words about mounting mean nothing then. */
  readonly device?: number | undefined;
  readonly readOnly: boolean;
  /** Whether other users than the mounting one may enter. */
  readonly allowOther: boolean;
  /** Words of mount(8) that are the kernel's business, such as noatime. */
  readonly mountWords?: readonly string[];
  readonly passthrough: "auto" | "off";
  /** KiB the kernel reads ahead in one file. */
  readonly readAheadKb: number;
  /** Whether a process stays behind that removes the mount when this one is killed; true unless said otherwise. */
  readonly watchdog?: boolean;
  /** Names that the kernel may keep before it is asked for old ones back; 200,000 unless said otherwise. */
  readonly mostNames?: number;
  /** How requests are read; "pool" is what "auto" falls back to. */
  readonly reader?: "auto" | "pool";
}

/** How long the kernel may take to send INIT, and the mount to answer its first call. */
const START_MS = 10_000;

/** Mounts `fileSystem`, by fusermount3 where this is not root; resolves when the mount answers. Rejects with FsError, leaving nothing mounted. */
export async function mountKernel(
  fileSystem: FileSystem,
  options: KernelMountOptions,
): Promise<MountSession> {
  const calls = options.passthrough === "auto" ? await loadSystemCalls() : undefined;
  if (options.passthrough === "auto" && calls === undefined) {
    log.info("passthrough is not available: koffi is not installed for this platform");
  }
  const attached =
    options.device === undefined
      ? await attachDevice(options)
      : await inheritDevice(options.device, options.source);
  const { device, mount, isInherited } = attached;
  let onInit: (granted: InitReply | undefined) => void = () => {};
  const granted = new Promise<InitReply | undefined>((resolve) => {
    onInit = resolve;
  });
  const adapter = new Adapter(fileSystem, {
    device,
    backingCalls: calls,
    maxReadahead: options.readAheadKb * 1024,
    onInit: (reply) => onInit(reply),
  });
  // who mounted for us also takes the mount away when we are killed
  const isWatched = mount !== undefined && !isInherited && options.watchdog !== false;
  const dismissWatchdog = isWatched ? await startWatchdog(mount) : () => {};
  const connection = new Connection(device, adapter, options.reader);
  new Pruner(adapter.nodes, (message) => connection.notify(message), options.mostNames).start();
  const session = createSession({ adapter, connection, attached, fileSystem, dismissWatchdog });
  try {
    const init = await within(granted, "the kernel did not start the protocol");
    if (init === undefined) throw new FsError("EPROTO", "Cannot mount: this kernel is too old");
    // asynchronous: it is this process that answers. A mount that was inherited may be for other users than this one
    if (mount && !isInherited) await within(stat(mount.mountpoint), "the mount does not answer");
    adapter.ioModes.probe();
    if (mount) await setReadAhead(mount.device, options.readAheadKb);
    log.debug("mounted %s, requests by %s", mount?.mountpoint, connection.readerKind);
    return session;
  } catch (error) {
    await session.unmount(true).catch((failure: unknown) => log.warn("%s", failure));
    connection.abandon();
    throw toSystemFsError(error, `Cannot mount at ${options.mountpoint}`);
  }
}

interface Parts {
  readonly adapter: Adapter;
  readonly connection: Connection;
  readonly attached: AttachedDevice;
  readonly fileSystem: FileSystem;
  readonly dismissWatchdog: () => void;
}

function createSession(parts: Parts): MountSession {
  const { adapter, connection, attached, fileSystem, dismissWatchdog } = parts;
  const notifications = new Notifications(adapter.nodes, (message) => connection.notify(message));
  fileSystem.onChange((change) => notifications.add(change));
  let isMounted = true;
  const closed = connection.closed.then(() => {
    isMounted = false;
    dismissWatchdog();
  });
  return {
    closed,
    async unmount(lazy = false) {
      if (!isMounted) return "done";
      const result = await unmountAttached(attached, connection, lazy);
      if (result === "done") isMounted = false;
      return result;
    },
    counts: () => ({
      nodes: adapter.nodes.size,
      files: adapter.files.size,
      directories: adapter.directories.size,
      inFlight: connection.inFlight,
      passthrough: adapter.ioModes.isEnabled,
      answered: connection.counts,
    }),
  };
}

async function unmountAttached(
  { device, mount, isInherited }: AttachedDevice,
  connection: Connection,
  lazy: boolean,
): Promise<"done" | "busy"> {
  try {
    if (mount) return await unmount(mount.mountpoint, { lazy });
    throw new FsError(
      "EPERM",
      `Cannot unmount descriptor ${device}: whoever mounted it has to, and where is not to be seen from here`,
    );
  } catch (error) {
    if (!isInherited || !lazy) throw error;
    const reason = error instanceof Error ? error.message : error;
    log.warn("%s; it is served no longer", reason);
    connection.abandon();
    return "done";
  }
}

async function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new FsError("ETIMEDOUT", otherwise)), START_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
