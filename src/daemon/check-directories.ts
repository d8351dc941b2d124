import { rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MountOptions } from "../options/mount-options.ts";
import { errnoOf, Errno } from "../posix/errno.ts";
import { checkForeignFiles, hasJournal, warningsAboutDisk } from "./check-state-directory.ts";
import { makeDirectory } from "./make-directory.ts";
import { type FailureKind, StartError } from "./start-error.ts";

/**
 * Makes the folders of cache and state, and rejects with StartError when one cannot be used; resolves to what whoever
 * mounts should hear though they can, one line each.
 */
export async function checkDirectories(options: MountOptions): Promise<readonly string[]> {
  await checkForeignFiles(options);
  await checkWritable("cache_dir", options.cache.directory);
  await checkWritable("state_dir", options.spool.stateDirectory);
  return warningsAboutDisk(options);
}

const kinds = new Map<number, FailureKind>([
  [Errno.EACCES, "credentials"],
  [Errno.EPERM, "credentials"],
  [Errno.ENOSPC, "temporary"],
  [Errno.EDQUOT, "temporary"],
]);

async function checkWritable(option: string, directory: string): Promise<void> {
  const probe = join(directory, `.writable-${process.pid}`);
  try {
    // names and bytes of the bucket are nobody's business but the mount's
    await makeDirectory(directory, 0o700);
    await writeFile(probe, "pailfs");
    await rm(probe);
  } catch (error) {
    // what there was no room for leaves an empty file
    await rm(probe, { force: true }).catch(() => undefined);
    // the queue of the last mount may be what takes the room: this one gives it back
    if (errnoOf(error) === Errno.ENOSPC && (await hasJournal(directory))) return;
    // only what is empty, and so was made just now or is of no use
    await rmdir(directory).catch(() => undefined);
    const reason = error instanceof Error ? error.message.replace(/, .*$/, "") : String(error);
    throw new StartError(
      kinds.get(errnoOf(error) ?? 0) ?? "configuration",
      `Cannot use ${option}=${dirname(directory)}: it cannot be written (${reason}); choose another with --${option.replace("_", "-")}`,
      { cause: error },
    );
  }
}
