// fsync(2) of directories: what makes the names in them durable.
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { Errno, errnoOf } from "./errno.ts";

/** fsyncs a directory; rejects with a system error. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** fsyncs a directory and those above it, as many as may have been made for it; one that must not be read is passed over. */
export async function syncDirectoryChain(path: string, levels: number): Promise<void> {
  let at = path;
  for (let level = 0; level < levels; level += 1) {
    try {
      await syncDirectory(at);
    } catch (error) {
      if (errnoOf(error) !== Errno.EACCES) throw error;
    }
    at = dirname(at);
  }
}
