// The spool of a mount, as its options say.
import type { MountOptions } from "../../options/mount-options.ts";
import type { SystemCalls } from "../../posix/syscalls.ts";
import { DiskSpool } from "../../spool/disk-spool.ts";

/** Opens it; rejects with FsError. */
export function openSpool(
  { spool, s3 }: MountOptions,
  system: SystemCalls | undefined,
): Promise<DiskSpool> {
  return DiskSpool.open({
    stateDir: spool.stateDirectory,
    spoolSize: spool.limitBytes,
    minFree: spool.minFree,
    roomWaitMs: s3.deadlineMs,
    system,
  });
}
