// Whether a directory may hold what is not in the bucket yet: nobody else's files in it, and a disk below it.
import { access, readdir, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { MountOptions } from "../options/mount-options.ts";
import { errnoOf, Errno } from "../posix/errno.ts";
import { isBelowOrEqual } from "../posix/path.ts";
import { StartError } from "./start-error.ts";

/** As options/mount-folder.ts names them; `lost+found` is that of a disk of its own. */
const MOUNT_FOLDER = /-[0-9a-f]{10}$/;
const OWN_FILES =
  /^(journal|index)\.mdb(-lock)?$|^spool$|^quarantine$|^\.?control\.sock|^\.writable-|^(stderr|pailfs)\.log/;

/** statfs(2) f_type of file systems in memory: tmpfs, ramfs. */
const MEMORY_TYPES: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** Rejects with StartError when something else lives in the directory; makes nothing. */
export async function checkForeignFiles(options: MountOptions): Promise<void> {
  const own = options.spool.stateDirectory;
  const base = dirname(own);
  const names = await namesIn(own);
  // with a journal it was ours, whatever was put beside it
  if (names?.includes("journal.mdb") === true) return;
  const strange = names?.find((name) => !OWN_FILES.test(name));
  if (strange !== undefined) throw foreign(base, join(basename(own), strange));
  if (names !== undefined) return;
  const others = (await namesIn(base)) ?? [];
  const found = others.find((name) => !isOurs(name) && !isConfigured(join(base, name), options));
  if (found !== undefined) throw foreign(base, found);
}

/** What whoever mounts should know of the disk of a state directory that exists; one line each. */
export async function warningsAboutDisk(options: MountOptions): Promise<string[]> {
  const { stateDirectory, minFree } = options.spool;
  const disk = await statfs(stateDirectory);
  const where = `state_dir=${dirname(stateDirectory)}`;
  const warnings: string[] = [];
  if (MEMORY_TYPES.has(disk.type)) {
    warnings.push(
      `${where} lies in memory (tmpfs): what is not in the bucket yet is lost when this host goes down; choose a disk with --state-dir`,
    );
  }
  const free = disk.bavail * disk.bsize;
  const wanted = "bytes" in minFree ? minFree.bytes : minFree.fraction * disk.blocks * disk.bsize;
  if (free < wanted) {
    warnings.push(
      `${where} has ${mib(free)} MiB free, less than min_free (${mib(wanted)} MiB): nothing can be written until there is room`,
    );
  }
  return warnings;
}

/** Whether a mount was here before, whose queue may be what fills the disk. */
export async function hasJournal(stateDirectory: string): Promise<boolean> {
  return access(join(stateDirectory, "journal.mdb")).then(
    () => true,
    () => false,
  );
}

function isOurs(name: string): boolean {
  return MOUNT_FOLDER.test(name) || name === "lost+found" || name.startsWith(".");
}

/** The cache or the log may be kept in the same place. */
function isConfigured(path: string, { cache, log }: MountOptions): boolean {
  return [cache.directory, log.file].some(
    (ours) => ours !== undefined && isBelowOrEqual(ours, path),
  );
}

/** Undefined: there is no such directory. */
async function namesIn(directory: string): Promise<string[] | undefined> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.ENOENT) return undefined;
    // making it, or writing to it, tells more
    if (errno === Errno.ENOTDIR || errno === Errno.EACCES) return [];
    throw error;
  }
}

function foreign(base: string, name: string): StartError {
  return new StartError(
    "configuration",
    `Cannot use state_dir=${base}: it holds files that are not pailfs's ("${name}" is there); choose an empty or a new directory with --state-dir`,
  );
}

function mib(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}
