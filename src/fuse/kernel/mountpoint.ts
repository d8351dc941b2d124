// Whether something can be mounted at a path; what a dead daemon left there is removed.
import { lstat, realpath, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FsError, toSystemFsError } from "../../posix/errno.ts";
import { FILE_SYSTEM_TYPE, findMount } from "../../posix/mount-table.ts";
import { unmount } from "../../posix/unmount.ts";
import { log } from "../../log.ts";

/** The mountpoint without symlinks, a directory and not in use by us; a dead daemon's mount there is removed first. */
export async function prepareMountpoint(mountpoint: string): Promise<string> {
  let path: string;
  try {
    // the last component may be a dead mount, of which only the name can be asked
    const parent = await realpath(dirname(mountpoint));
    path = join(parent, basename(mountpoint));
  } catch (error) {
    throw toSystemFsError(error, `Cannot mount at ${mountpoint}`);
  }
  await removeStaleMounts(path);
  let found;
  try {
    found = await lstat(path);
  } catch (error) {
    throw toSystemFsError(error, `Cannot mount at ${mountpoint}`);
  }
  if (!found.isDirectory()) {
    throw new FsError("ENOTDIR", `Cannot mount at ${mountpoint}: it is not a directory`);
  }
  return path;
}

/** How long a mount that is there may take to answer before it counts as hung. */
const ANSWER_MS = 5000;

async function removeStaleMounts(path: string): Promise<void> {
  for (;;) {
    const mount = await findMount(path);
    if (mount?.type !== FILE_SYSTEM_TYPE) return;
    const state = await probe(path);
    if (state !== "dead") {
      throw new FsError(
        "EBUSY",
        `Cannot mount at ${path}: ${mount.source} is mounted there, ${state}`,
      );
    }
    log.warn("removing the mount that a dead daemon left at %s", path);
    await unmount(path, { lazy: true });
  }
}

/** Whether the mount at `path` answers; a dead daemon's gives ENOTCONN. */
async function probe(path: string): Promise<"dead" | "and answers" | "and hangs"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"and hangs">((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, "and hangs");
  });
  // not stat(2), which the kernel may answer from its cache
  const asked = statfs(path).then(
    () => "and answers" as const,
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOTCONN" || error.code === "ECONNABORTED" ? "dead" : "and answers",
  );
  const state = await Promise.race([asked, late]);
  clearTimeout(timer);
  return state;
}
