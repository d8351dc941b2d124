import { chmod, chown, open, stat } from "node:fs/promises";
import { log } from "../log.ts";
import { loadSystemCalls } from "../posix/syscalls.ts";

/**
 * Makes a directory that will be mounted over writable for nobody, root included where the disk knows of immutable
 * files, so that a program that starts without the mount fails instead of writing beside it. Never rejects: a mount is
 * of use without it.
 */
export async function protectMountpoint(mountpoint: string): Promise<void> {
  try {
    const { uid, gid, mode } = await stat(mountpoint);
    if (uid !== 0 || gid !== 0) await chown(mountpoint, 0, 0);
    if ((mode & 0o7777) !== 0o555) await chmod(mountpoint, 0o555);
  } catch (error) {
    log.warn("cannot protect %s against writing beside the mount: %s", mountpoint, error);
  }
  await makeImmutable(mountpoint).catch((error: unknown) =>
    log.debug("%s stays writable for root: %s", mountpoint, error),
  );
}

async function makeImmutable(mountpoint: string): Promise<void> {
  const system = await loadSystemCalls();
  const directory = await open(mountpoint);
  try {
    system?.makeImmutable(directory.fd);
  } finally {
    await directory.close();
  }
}
