// Whether a mount can go where it shall go. Runs in the process that was called, so that errors reach the terminal.
import { readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { MountOptions } from "../options/mount-options.ts";
import { findMountOfDevice, isFuseDevice } from "../posix/fuse-device.ts";
import { isBelowOrEqual } from "../posix/path.ts";
import { errnoOf, Errno } from "../posix/errno.ts";
import { findMount, isPailfs, type MountTableEntry } from "./mount-table.ts";
import { realPathOf } from "./real-path.ts";
import { healthOf, removeStaleMounts } from "./stale-mount.ts";
import { StartError } from "./start-error.ts";

export interface CheckedMountpoint {
  /** Without symbolic links. */
  readonly mountpoint: string;
  /** Dead mounts of ours that were removed from it. */
  readonly staleMounts: number;
}

/** Removes a stale mount and rejects with StartError when the mount point cannot be used. */
export async function checkMountpoint(options: MountOptions): Promise<CheckedMountpoint> {
  if (options.fuse.device !== undefined) return checkDevice(options.fuse.device, options);
  const wanted = await realPathOf(options.mountpoint);
  const staleMounts = await removeStaleMounts(wanted);
  const mounted = await findMount(wanted);
  // whoever looks into it would wait as well
  if (mounted !== undefined && (await healthOf(wanted)) === "hangs") {
    throw new StartError(
      "runtime",
      `Cannot mount on "${wanted}": ${mounted.source} is mounted there and does not answer; remove it with: umount -l ${wanted}`,
    );
  }
  if (mounted !== undefined && isPailfs(mounted)) {
    throw new StartError(
      "runtime",
      `Cannot mount on "${wanted}": already mounted from ${mounted.source}; unmount it first: pailfs umount ${wanted}`,
    );
  }
  await checkDirectory(wanted);
  await checkApart(wanted, options);
  if (!options.fuse.nonempty) {
    // other kinds may be bind mounts, on which containers mount so that the host sees it
    if (mounted?.type.startsWith("fuse.") === true) throw foreign(wanted, mounted);
    await checkEmpty(wanted);
  }
  return { mountpoint: wanted, staleMounts };
}

// mounted already: nothing to remove, and what is below is whoever mounted it's business
async function checkDevice(device: number, options: MountOptions): Promise<CheckedMountpoint> {
  if (!(await isFuseDevice(device))) {
    throw new StartError(
      "configuration",
      `Cannot mount on "${options.mountpoint}": descriptor ${device} is no open /dev/fuse; start pailfs with one, or name a directory`,
    );
  }
  const mount = await findMountOfDevice(device, options.source);
  const mountpoint = mount?.mountpoint ?? options.mountpoint;
  await checkApart(mountpoint, options);
  return { mountpoint, staleMounts: 0 };
}

async function checkDirectory(mountpoint: string): Promise<void> {
  let isDirectory = false;
  try {
    isDirectory = (await stat(mountpoint)).isDirectory();
  } catch (error) {
    throw unusable(mountpoint, error);
  }
  if (!isDirectory) {
    throw new StartError("configuration", `Cannot mount on "${mountpoint}": it is not a directory`);
  }
}

function unusable(mountpoint: string, error: unknown): StartError {
  const errno = errnoOf(error);
  const reason =
    errno === Errno.ENOENT
      ? `there is no such directory; make it with: mkdir -p ${mountpoint}`
      : errno === Errno.ENOTCONN
        ? `a dead mount of another program is there; remove it with: umount -l ${mountpoint}`
        : (error as Error).message;
  return new StartError("configuration", `Cannot mount on "${mountpoint}": ${reason}`, {
    cause: error,
  });
}

function foreign(mountpoint: string, { type, source }: MountTableEntry): StartError {
  return new StartError(
    "configuration",
    `Cannot mount on "${mountpoint}": ${source} is mounted there (${type}); unmount it first, or say --nonempty to mount over it`,
  );
}

async function checkEmpty(mountpoint: string): Promise<void> {
  const names = await readdir(mountpoint).catch((error: unknown) => {
    throw unusable(mountpoint, error);
  });
  const [first] = names;
  if (first === undefined) return;
  throw new StartError(
    "configuration",
    `Cannot mount on "${mountpoint}": it is not empty ("${first}" is there); choose another directory, or say --nonempty to hide what is in it`,
  );
}

// a cache below its own mount would ask itself for every byte, and hang
async function checkApart(mountpoint: string, options: MountOptions): Promise<void> {
  const rows = [
    ["cache_dir", dirname(options.cache.directory)],
    ["state_dir", dirname(options.spool.stateDirectory)],
  ] as const;
  for (const [name, directory] of rows) {
    const real = await realPathOf(directory);
    const inside = isBelowOrEqual(real, mountpoint);
    if (!inside && !isBelowOrEqual(mountpoint, real)) continue;
    const how = inside ? "lies inside the mount point" : "contains the mount point";
    throw new StartError(
      "configuration",
      `Cannot use ${name}=${directory}: it ${how} "${mountpoint}"; choose a directory apart from it`,
    );
  }
  const { file } = options.log;
  if (file !== undefined && isBelowOrEqual(await realPathOf(file), mountpoint)) {
    throw new StartError(
      "configuration",
      `Cannot use log_file=${file}: it lies inside the mount point "${mountpoint}"`,
    );
  }
}
