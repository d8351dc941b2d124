// umount(8), or fusermount3 for a user who is not root. Always another process: both look at the mount point, and it may
// be this process that has to answer.
import { FsError } from "./errno.ts";
import { findMount } from "./mount-table.ts";
import { findProgram, runProgram } from "./run-program.ts";

/** What a mount of an ordinary user is made and removed with; undefined when not installed. */
export async function findFusermount(): Promise<string | undefined> {
  // fusermount is libfuse 2's
  return findProgram("fusermount3", "fusermount");
}

/** The program and arguments that unmount, the mount point still to be added; undefined when there is none for this user. */
export async function unmountCommand(
  lazy: boolean,
): Promise<readonly [string, ...string[]] | undefined> {
  const umount = process.geteuid?.() === 0 ? await findProgram("umount") : undefined;
  // -i: no helper program, which would come back to us; -c: no look at the mount itself, which may be dead
  if (umount !== undefined) return [umount, "-i", "-c", ...(lazy ? ["-l"] : []), "--"];
  const fusermount = await findFusermount();
  return fusermount === undefined ? undefined : [fusermount, "-u", ...(lazy ? ["-z"] : []), "--"];
}

export interface UnmountOptions {
  /** Open files go on working and the name is free at once. */
  readonly lazy: boolean;
  readonly timeoutMs?: number;
}

/** Unmounts what is at a path without symbolic links; "busy" changes nothing. Rejects with FsError: EPERM where it is another user's, EIO with the program's own words. */
export async function unmount(
  mountpoint: string,
  { lazy, timeoutMs = 20_000 }: UnmountOptions,
): Promise<"done" | "busy"> {
  const command = await unmountCommand(lazy);
  if (command === undefined) {
    throw new FsError(
      "EPERM",
      `Cannot unmount "${mountpoint}": fusermount3 is not installed; install it (Debian: apt-get install fuse3), or let root unmount`,
    );
  }
  const [program, ...args] = command;
  const { code, output } = await runProgram(program, [...args, mountpoint], { timeoutMs });
  if (code === 0 || /not mounted|no mount point/i.test(output)) return "done";
  if (/busy/i.test(output)) return "busy";
  // so say umount of a path that is gone, and fusermount3 of any mount that this user did not make
  if (/not found/i.test(output)) {
    const entry = await findMount(mountpoint);
    if (entry === undefined) return "done";
    throw new FsError("EPERM", `Cannot unmount "${mountpoint}": ${ownerAdvice(entry.userId)}`);
  }
  if (/must be superuser|not permitted|permission denied/i.test(output)) {
    throw new FsError(
      "EPERM",
      `Cannot unmount "${mountpoint}": this process may not (${output}); let root do it`,
    );
  }
  throw new FsError(
    "EIO",
    `Cannot unmount "${mountpoint}": ${output === "" ? `no answer from ${program}` : output}`,
  );
}

/** Why a mount is none of this user's business, and whom to ask. */
export function ownerAdvice(userId: number | undefined): string {
  const owner = userId === undefined || userId === 0 ? "root" : `user ${userId}`;
  const asked = owner === "root" ? "root" : `${owner} or root`;
  return `${owner} mounted it and you are user ${process.geteuid?.()}; ask ${asked}`;
}
