// Facts that depend on the running kernel's version.
import { release } from "node:os";

const [major = 0, minor = 0] = release().split(".").map(Number);

/** Whether the kernel is at least `wantedMajor.wantedMinor`. */
export function isKernelAtLeast(wantedMajor: number, wantedMinor: number): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Since Linux 6.13 (multigrain timestamps) a write after an fstat always leaves another mtime on ext4, xfs, btrfs and tmpfs. */
export const hasFineTimestamps = isKernelAtLeast(6, 13);
