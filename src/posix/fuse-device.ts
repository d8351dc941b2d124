// A FUSE device that was opened and mounted by another program, and is ours as a descriptor. Its mount point is then
// written /dev/fd/N, as libfuse, go-fuse and mount-s3 have it.
import { fstat } from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { type MountEntry, readMountTable } from "./mount-table.ts";

const FUSE_DEVICE = (10 << 8) | 229; // major 10, minor 229

/** The N of a mount point /dev/fd/N; undefined for any other path. */
export function descriptorOf(mountpoint: string): number | undefined {
  const digits = /^\/dev\/fd\/(\d{1,7})$/.exec(mountpoint)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether a descriptor is open and /dev/fuse. */
export async function isFuseDevice(descriptor: number): Promise<boolean> {
  try {
    const found = await promisify(fstat)(descriptor);
    return found.isCharacterDevice() && found.rdev === FUSE_DEVICE;
  } catch {
    return false;
  }
}

/** The mount behind a FUSE device; where the kernel does not tell (before Linux 6.12), the only FUSE mount that has this source. */
export async function findMountOfDevice(
  descriptor: number,
  source: string,
): Promise<MountEntry | undefined> {
  const mounts = (await readMountTable()).filter(({ type }) => /^fuse(\.|$)/.test(type));
  const info = await readFile(`/proc/self/fdinfo/${descriptor}`, "utf8").catch(() => "");
  const connection = /^fuse_connection:\s*(\d+)/m.exec(info)?.[1];
  if (connection !== undefined) {
    const device = `${Number(connection) >> 20}:${Number(connection) & 0xfffff}`;
    return mounts.find((mount) => mount.device === device);
  }
  const candidates = mounts.filter((mount) => mount.source === source);
  return candidates.length === 1 ? candidates[0] : undefined;
}
