// How the kernel adapter comes to a FUSE device with a mount behind it.
import { closeSync } from "node:fs";
import { FsError } from "../../posix/errno.ts";
import { findMountOfDevice, isFuseDevice } from "../../posix/fuse-device.ts";
import { findMount, type MountEntry } from "../../posix/mount-table.ts";
import { loadSystemCalls } from "../../posix/syscalls.ts";
import { log } from "../../log.ts";
import { firstWay } from "../first-way.ts";
import { type MountDeviceOptions, mountAsRoot, mountAsUser } from "./mount.ts";
import { prepareMountpoint } from "./mountpoint.ts";

export interface AttachedDevice {
  /** Open, mounted, and not yet read from; the caller closes it. */
  readonly device: number;
  /** Undefined only for an inherited device whose mount cannot be seen from here. */
  readonly mount: MountEntry | undefined;
  /** Whether somebody else mounted, and will unmount. */
  readonly isInherited: boolean;
}

/** Mounts, by mount(8) where that is allowed and by fusermount3 where not; rejects with FsError that has the reason of each. */
export async function attachDevice(options: MountDeviceOptions): Promise<AttachedDevice> {
  const mountpoint = await prepareMountpoint(options.mountpoint);
  const where = { ...options, mountpoint };
  const byFusermount = { name: "fusermount3", go: async () => mountAsUser(where) };
  const byMount = { name: "mount(8)", go: async () => mountAsRoot(where) };
  const isRoot = process.geteuid?.() === 0;
  const { name, result } = await firstWay(isRoot ? [byMount, byFusermount] : [byFusermount]);
  const mount = await findMount(mountpoint);
  if (mount === undefined) {
    closeSync(result);
    throw new FsError("EIO", `Cannot find the mount at ${mountpoint}: it is gone already`);
  }
  log.info("mounted by %s", name);
  return { device: result, mount, isInherited: false };
}

/** Takes over a device that this process was started with; rejects with FsError when descriptor `device` is none. */
export async function inheritDevice(device: number, source: string): Promise<AttachedDevice> {
  if (!(await isFuseDevice(device))) {
    throw new FsError("EINVAL", `Cannot serve descriptor ${device}: it is not an open /dev/fuse`);
  }
  // what this process runs must not keep the connection alive after it
  (await loadSystemCalls())?.closeOnExec(device);
  const mount = await findMountOfDevice(device, source);
  log.info("served by the kernel adapter on descriptor %d, mounted by whoever opened it", device);
  if (mount?.options.includes("default_permissions") === false) {
    log.warn(
      "%s was mounted without default_permissions: modes and owners are not checked",
      mount.mountpoint,
    );
  }
  return { device, mount, isInherited: true };
}
