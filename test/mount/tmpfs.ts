// Small disks: file systems in memory that can be filled, made read-only and taken away.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

const run = promisify(execFile);

/** Mounts an empty one of `size` (as mount(8) has it) at `directory`, which is made; gone after the test. */
export async function tmpfsAt(directory: string, size: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
  // twice: a test may have mounted it read-only, or taken it away
  onTestFinished(async () => void (await run("umount", ["-l", directory]).catch(() => undefined)));
}

/** Makes it read-only, or writable again; rejects while files are open for writing there. */
export async function remountTmpfs(directory: string, how: "ro" | "rw"): Promise<void> {
  await run("mount", ["-o", `remount,${how}`, directory]);
}
