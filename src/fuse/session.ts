import { closeSync, constants, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { FileSystem } from "../fs/file-system.ts";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { loadSystemCalls } from "../posix/syscalls.ts";
import { log } from "../log.ts";
import { Adapter } from "./kernel/adapter.ts";
import { Connection } from "./kernel/connection.ts";
import { mountDevice, prepareMountpoint, setReadAhead, unmountPath } from "./kernel/mount.ts";
import { findMount, type MountEntry } from "./kernel/mount-table.ts";
import { Notifications } from "./kernel/notifications.ts";
import type { InitReply } from "./kernel/reply.ts";
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
  /** Names the kernel knows, the root included. */
  readonly nodes: number;
  readonly files: number;
  readonly directories: number;
  /** Requests not yet answered. */
  readonly inFlight: number;
  /** Whether files may be read and written by the kernel alone. */
  readonly passthrough: boolean;
}

/** How to mount with the kernel's protocol. */
export interface KernelMountOptions {
  /** Shown as the device in mount tables. */
  readonly source: string;
  readonly mountpoint: string;
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
  /** How requests are read; "pool" is what "auto" falls back to. */
  readonly reader?: "auto" | "pool";
}

/** How long the kernel may take to send INIT, and the mount to answer its first call. */
const START_MS = 10_000;

/** Mounts `fileSystem`; resolves when the mount answers. Needs root and /dev/fuse; rejects with FsError, leaving nothing mounted. */
export async function mountKernel(
  fileSystem: FileSystem,
  options: KernelMountOptions,
): Promise<MountSession> {
  const mountpoint = await prepareMountpoint(options.mountpoint);
  const calls = options.passthrough === "auto" ? await loadSystemCalls() : undefined;
  if (options.passthrough === "auto" && calls === undefined) {
    log.info("passthrough is not available: koffi is not installed for this platform");
  }
  const device = openDevice();
  try {
    await mountDevice(device, { ...options, mountpoint });
  } catch (error) {
    closeSync(device);
    throw error;
  }
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
  const connection = new Connection(device, adapter, options.reader);
  try {
    const init = await within(granted, "the kernel did not start the protocol");
    if (init === undefined) throw new FsError("EPROTO", "Cannot mount: this kernel is too old");
    const mount = await findMount(mountpoint);
    if (mount === undefined) throw new FsError("EIO", `Cannot find the mount at ${mountpoint}`);
    // asynchronous: it is this process that answers
    await within(stat(mountpoint), "the mount does not answer");
    await setReadAhead(mount.device, options.readAheadKb);
    log.debug("mounted %s, requests by %s", mountpoint, connection.readerKind);
    return createSession({ adapter, connection, mount, init, fileSystem, options });
  } catch (error) {
    await unmountPath(mountpoint, true).catch((failure: unknown) => log.warn("%s", failure));
    connection.abandon();
    throw toSystemFsError(error, `Cannot mount at ${mountpoint}`);
  }
}

function openDevice(): number {
  try {
    return openSync("/dev/fuse", constants.O_RDWR);
  } catch (error) {
    throw toSystemFsError(error, "Cannot use FUSE");
  }
}

interface Parts {
  readonly adapter: Adapter;
  readonly connection: Connection;
  readonly mount: MountEntry;
  readonly init: InitReply;
  readonly fileSystem: FileSystem;
  readonly options: KernelMountOptions;
}

function createSession(parts: Parts): MountSession {
  const { adapter, connection, mount, init, fileSystem, options } = parts;
  const notifications = new Notifications(adapter.nodes, (message) => connection.notify(message));
  fileSystem.onChange((change) => notifications.add(change));
  const dismissWatchdog = options.watchdog === false ? () => {} : startWatchdog(mount);
  let isMounted = true;
  const closed = connection.closed.then(() => {
    isMounted = false;
    dismissWatchdog();
  });
  return {
    closed,
    async unmount(lazy = false) {
      if (!isMounted) return "done";
      const result = await unmountPath(mount.mountpoint, lazy);
      if (result === "done") isMounted = false;
      return result;
    },
    counts: () => ({
      nodes: adapter.nodes.size,
      files: adapter.files.size,
      directories: adapter.directories.size,
      inFlight: connection.inFlight,
      passthrough: init.flags2 !== 0 && adapter.ioModes.isEnabled,
    }),
  };
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
