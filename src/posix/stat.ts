// Attributes of files as stat(2) and statfs(2) know them.

/** File type bits of st_mode (linux/stat.h). */
export const FileType = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  file: 0o100000,
  blockDevice: 0o060000,
  directory: 0o040000,
  characterDevice: 0o020000,
  fifo: 0o010000,
} as const;

export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

/** Nanoseconds since the epoch; the unit of every file time in this code base. */
export type Nanoseconds = bigint;

/** Immutable POSIX attributes; sizes in bytes, `mode` with its type bits. */
export interface Stat {
  readonly ino: number;
  /** Changes whenever the name comes to stand for other content (replaced, not rewritten in place). */
  readonly generation: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly atime: Nanoseconds;
  readonly mtime: Nanoseconds;
  readonly ctime: Nanoseconds;
}

/** statfs(2) numbers; blocks in units of `bsize` bytes. */
export interface StatFs {
  readonly bsize: number;
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly namelen: number;
}

export function isDirectory(stat: { readonly mode: number }): boolean {
  return (stat.mode & FileType.mask) === FileType.directory;
}

export function isRegularFile(stat: { readonly mode: number }): boolean {
  return (stat.mode & FileType.mask) === FileType.file;
}

export function isSymlink(stat: { readonly mode: number }): boolean {
  return (stat.mode & FileType.mask) === FileType.symlink;
}

/** Bytes of what st_blocks counts, whatever the disk's block size (stat(2)). */
export const STAT_BLOCK = 512;

/** Clears setuid, and setgid where it means set-group-id (group execute on); as the kernel's should_remove_suid(). */
export function withoutPrivileges(mode: number): number {
  const isSetGid = (mode & S_ISGID) !== 0 && (mode & 0o010) !== 0;
  return mode & ~(S_ISUID | (isSetGid ? S_ISGID : 0));
}

/** The current time in nanoseconds; ms resolution from the wall clock, made strictly increasing so that two changes never share a time. */
export function nowNs(): Nanoseconds {
  const now = BigInt(Date.now()) * 1_000_000n;
  lastNow = now > lastNow ? now : lastNow + 1n;
  return lastNow;
}

let lastNow = 0n;
