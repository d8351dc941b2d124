// Attributes of files on the local disk as the mount shows them.
import type { BigIntStats } from "node:fs";
import type { Entry } from "../fs/file-system.ts";
import { FileType, type Stat } from "../posix/stat.ts";

/** Only calls of this mount change a local file, and the kernel sees them all. */
const VALID_MS = 60_000;

/** Above all numbers that the core gives away, and still a whole number for JavaScript. */
const FIRST_INO = 2 ** 52;

export function entryOfFile(file: BigIntStats): Entry {
  const stat = statOfFile(file);
  return { stat, validMs: stat.nlink === 0 ? 0 : VALID_MS };
}

/** The inode number is the disk's with a high bit set. Directories look like those of the rest of the mount. */
export function statOfFile(file: BigIntStats): Stat {
  const mode = Number(file.mode);
  const isDirectory = (mode & FileType.mask) === FileType.directory;
  const nlink = Number(file.nlink);
  return {
    ino: FIRST_INO + Number(BigInt.asUintN(52, file.ino)),
    generation: 0,
    mode,
    nlink: isDirectory ? Math.min(nlink, 1) * 2 : nlink,
    uid: Number(file.uid),
    gid: Number(file.gid),
    rdev: Number(file.rdev),
    size: isDirectory ? 4096 : Number(file.size),
    atime: file.atimeNs,
    mtime: file.mtimeNs,
    ctime: file.ctimeNs,
  };
}
