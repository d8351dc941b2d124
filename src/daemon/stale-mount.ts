// A mount whose daemon died stays in the tree and answers ENOTCONN until someone removes it.
import { statfs } from "node:fs/promises";
import { errnoOf, Errno } from "../posix/errno.ts";
import { findMount, isPailfs } from "./mount-table.ts";
import { runUmount } from "./umount-command.ts";

/** Whether what is at a path is a mount without a daemon. */
export async function isDeadMount(mountpoint: string): Promise<boolean> {
  try {
    // not stat(2): the kernel answers that from its cache for as long as the root's attributes are good
    await statfs(mountpoint);
    return false;
  } catch (error) {
    const errno = errnoOf(error);
    // ECONNABORTED: the connection was aborted while the daemon still holds the device
    return errno === Errno.ENOTCONN || errno === Errno.ECONNABORTED;
  }
}

/** Takes our dead mounts off a mount point, one on top of another; resolves to how many there were. Other dead mounts stay. */
export async function removeStaleMounts(mountpoint: string): Promise<number> {
  let removed = 0;
  // bounded: a mount that comes back each time is not ours to fight
  while (removed < 16 && (await isDeadMount(mountpoint))) {
    const entry = await findMount(mountpoint);
    if (entry === undefined || !(isPailfs(entry) || entry.type === "fuse")) return removed;
    await runUmount(mountpoint, { lazy: true });
    removed += 1;
  }
  return removed;
}
