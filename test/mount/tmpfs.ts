// Small disks that can be filled, and directories that are read-only for a while.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";

const run = promisify(execFile);

/** Mounts an empty one of `size` (as mount(8) has it) at `directory`, which is made; gone after the test. */
export async function tmpfsAt(directory: string, size: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory]);
  onTestFinished(async () => void (await run("umount", ["-l", directory]).catch(() => undefined)));
}

/** Whoever uses the path from now on finds a read-only directory; what is open stays as it is. Undone by the result. */
export async function readOnlyAt(directory: string): Promise<() => Promise<void>> {
  await run("mount", ["--bind", directory, directory]);
  const undo = async (): Promise<void> => void (await run("umount", ["-l", directory]));
  onTestFinished(async () => undo().catch(() => undefined));
  await run("mount", ["-o", "remount,bind,ro", directory]);
  return undo;
}
