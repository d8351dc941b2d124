// fuse-native does not say when the kernel has let go of a mount. The kernel shows a bdi (/sys/class/bdi) for as long.
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 250;

/** Resolves once nothing uses the mount `device` (major:minor) any more, open files after a lazy unmount included. Never rejects. */
export async function superblockGone(
  device: string,
  isMounted: () => Promise<boolean>,
): Promise<void> {
  const path = `/sys/class/bdi/${device}`;
  const first = await identityOf(path);
  for (;;) {
    // the numbers of a mount are used again, those of sysfs are not
    const isThere = first === undefined ? await isMounted() : (await identityOf(path)) === first;
    if (!isThere) return;
    await sleep(POLL_MS);
  }
}

async function identityOf(path: string): Promise<bigint | undefined> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch {
    return undefined;
  }
}
