// umount(8) as a child. Never a synchronous one: it looks at the mount point, and we are who has to answer.
import { execFile } from "node:child_process";
import { FsError } from "../posix/errno.ts";

export interface UmountOptions {
  readonly lazy: boolean;
  readonly timeoutMs?: number;
}

/** Unmounts; rejects with FsError EBUSY when in use, EIO with umount's own words otherwise. */
export async function runUmount(mountpoint: string, options: UmountOptions): Promise<void> {
  // -i: a umount.fuse.pailfs would call back to us
  const flags = options.lazy ? ["-i", "-l"] : ["-i"];
  return new Promise((resolve, reject) => {
    execFile(
      "umount",
      [...flags, "--", mountpoint],
      {
        timeout: options.timeoutMs ?? 20_000,
        env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      },
      (error, _, stderr) => {
        if (error === null) resolve();
        else if (stderr.includes("busy")) reject(busy(mountpoint, error));
        else reject(failed(mountpoint, stderr.trim() || error.message, error));
      },
    );
  });
}

function busy(mountpoint: string, cause: unknown): FsError {
  return new FsError("EBUSY", `Cannot unmount "${mountpoint}": it is in use`, { cause });
}

function failed(mountpoint: string, reason: string, cause: unknown): FsError {
  const text = reason.split("\n").join(" ");
  return new FsError("EIO", `Cannot unmount "${mountpoint}": ${text}`, { cause });
}
