// The spool of a mount, as its options say.
import type { MountOptions } from "../../options/mount-options.ts";
import type { SystemCalls } from "../../posix/syscalls.ts";
import { DiskSpool } from "../../spool/disk-spool.ts";

/** Opens it; rejects with FsError. `failingSinceMs`: since when S3 is away, in ms since the epoch. */
export function openSpool(
  { spool, s3 }: MountOptions,
  system: SystemCalls | undefined,
  failingSinceMs: () => number | undefined,
): Promise<DiskSpool> {
  return DiskSpool.open({
    stateDir: spool.stateDirectory,
    spoolSize: spool.limitBytes,
    minFree: spool.minFree,
    roomWaitMs: s3.deadlineMs,
    failingSinceMs,
    system,
  });
}
