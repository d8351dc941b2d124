import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf, Errno } from "../posix/errno.ts";

/**
 * Makes a directory and those above it; one that is there is fine. Node's own `recursive` never returns where a file
 * system answers ENOENT to any mkdir, as /proc does.
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  if ((await tryMake(path, mode)) || path === dirname(path)) return;
  await makeDirectory(dirname(path), mode);
  await mkdir(path, mode).catch(ignoreExisting);
}

/** False when the one above is missing. */
async function tryMake(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return false;
    ignoreExisting(error);
    return true;
  }
}

// a file of that name: what is put into it fails, and tells more
function ignoreExisting(error: unknown): void {
  if (errnoOf(error) !== Errno.EEXIST) throw error;
}
