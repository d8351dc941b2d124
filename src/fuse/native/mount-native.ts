// Mounts through the npm package fuse-native (libfuse 2). What it cannot do is in docs/SEMANTICS.md, "With fuse=native".
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { FileSystem } from "../../fs/file-system.ts";
import { FsError, toSystemFsError } from "../../posix/errno.ts";
import { findMount, type MountEntry } from "../../posix/mount-table.ts";
import { unmount } from "../../posix/unmount.ts";
import { log } from "../../log.ts";
import { prepareMountpoint } from "../kernel/mountpoint.ts";
import { startWatchdog } from "../kernel/watchdog.ts";
import type { MountSession } from "../session.ts";
import { NativeAdapter } from "./adapter.ts";
import { attributeOperations } from "./attributes.ts";
import { directoryOperations } from "./directories.ts";
import { fileOperations } from "./files.ts";
import { type FuseObject, loadFuseNative } from "./fuse-native.ts";
import { nameOperations } from "./names.ts";
import { install } from "./operation.ts";
import { type LibfuseOptions, MOUNT_TEXT_MAX, optionString } from "./option-string.ts";
import { superblockGone } from "./superblock.ts";
import { threadHandles, watchThreads } from "./thread-watch.ts";
import { repairTimes } from "./times.ts";
import { xattrOperations } from "./xattrs.ts";

export interface NativeMountOptions extends LibfuseOptions {
  readonly mountpoint: string;
  /** To whom new files belong: the callers are not known. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Whether a process stays behind that removes the mount when this one is killed; true unless said otherwise. */
  readonly watchdog?: boolean;
}

const operations = [
  ...attributeOperations,
  ...fileOperations,
  ...nameOperations,
  ...directoryOperations,
  ...xattrOperations,
];

/** How long libfuse may take to start, and the mount to answer its first call. */
const START_MS = 10_000;

/** libfuse's threads use the memory of these for as long as the process lives, and never say that they have ended. */
const immortal = new Set<FuseObject>();

/** Mounts `fileSystem` with libfuse 2; resolves when the mount answers, rejects with FsError, leaving nothing mounted. */
export async function mountNative(
  fileSystem: FileSystem,
  options: NativeMountOptions,
): Promise<MountSession> {
  const text = optionString(options);
  const Fuse = await loadFuseNative();
  // the package's own gives the path to a shell; close() is only to let go of the event loop
  Fuse.unmount = (_mountpoint, done) => done(null);
  const mountpoint = await prepareMountpoint(options.mountpoint);
  if (Buffer.byteLength(mountpoint) > MOUNT_TEXT_MAX) {
    throw new FsError("ENAMETOOLONG", `Cannot mount at ${mountpoint}: its path is too long`);
  }
  const adapter = new NativeAdapter(fileSystem, options.owner);
  const wanted = Object.fromEntries(operations.map(({ name }) => [name, true as const]));
  const fuse = new Fuse(mountpoint, wanted, { timeout: false });
  immortal.add(fuse);
  fuse._fuseOptions = () => text;
  install(fuse, adapter, operations);
  repairTimes(fuse);
  watchThreads(fuse);
  const before = await findMount(mountpoint);
  try {
    await within(open(fuse), "libfuse did not start");
    // asynchronous: it is this process that answers
    await within(stat(mountpoint), "the mount does not answer");
    const mount = await findMount(mountpoint);
    if (mount === undefined) throw new FsError("EIO", `Cannot find the mount at ${mountpoint}`);
    const dismissWatchdog = options.watchdog === false ? () => {} : await startWatchdog(mount);
    return createSession({ fuse, adapter, mount, dismissWatchdog });
  } catch (error) {
    // libfuse may have mounted before it failed; what else is there is not ours
    const after = await findMount(mountpoint);
    if (after !== undefined && after.id !== before?.id) {
      await unmount(mountpoint, { lazy: true }).catch((failure: unknown) =>
        log.warn("%s", failure),
      );
    }
    // a process that is about to say why must also end
    fuse.close(() => {});
    throw toSystemFsError(error, `Cannot mount at ${mountpoint} with fuse=native`);
  }
}

async function open(fuse: FuseObject): Promise<void> {
  try {
    await promisify((done: (error?: Error | null) => void) => fuse.open(done))();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new FsError("EIO", whyNot(said), { cause: error });
  }
}

// libfuse's own words go to standard error at best
function whyNot(said: string): string {
  if (said.includes("in use")) {
    return "fuse-native refuses a directory that is itself a mount; mount on one below it";
  }
  if (process.geteuid?.() === 0) {
    return `libfuse could not mount (${said}): it wants /dev/fuse and CAP_SYS_ADMIN`;
  }
  return (
    `libfuse could not mount (${said}): it wants the program fusermount, setuid root, a directory of this user's, a line ` +
    "for the user in /etc/passwd, and for allow_other the line user_allow_other in /etc/fuse.conf"
  );
}

interface Parts {
  readonly fuse: FuseObject;
  readonly adapter: NativeAdapter;
  readonly mount: MountEntry;
  readonly dismissWatchdog: () => void;
}

function createSession({ fuse, adapter, mount, dismissWatchdog }: Parts): MountSession {
  const isMounted = async (): Promise<boolean> =>
    (await findMount(mount.mountpoint))?.id === mount.id;
  const end = async (): Promise<void> => {
    await superblockGone(mount.device, isMounted);
    dismissWatchdog();
    // each ends by its deadline
    while (adapter.inFlight > 0) await sleep(10);
    adapter.files.close();
    fuse.close(() => {});
  };
  return {
    closed: end(),
    unmount: async (lazy = false) =>
      (await isMounted()) ? unmount(mount.mountpoint, { lazy }) : "done",
    counts: () => ({
      // libfuse keeps them
      nodes: 0,
      files: adapter.files.size,
      directories: 0,
      inFlight: adapter.inFlight,
      passthrough: false,
      answered: adapter.counts,
      threadHandles: threadHandles(fuse),
    }),
  };
}

async function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(START_MS, undefined, { signal: timer.signal }).then(() => {
    throw new FsError("ETIMEDOUT", otherwise);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => {});
    timer.abort();
  }
}
