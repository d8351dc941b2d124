// Numbers of the kernel protocol (include/uapi/linux/fuse.h, 7.45); names as there, in camel case.

export const KERNEL_MAJOR = 7;
/** The newest minor whose layouts this adapter knows. */
export const KERNEL_MINOR = 45;
/** The oldest minor accepted: Linux 5.4. */
export const OLDEST_MINOR = 31;

export const IN_HEADER_SIZE = 40;
export const OUT_HEADER_SIZE = 16;

/** The largest READ and WRITE: 256 pages, the default of sysctl fs.fuse.max_pages_limit. */
export const MAX_WRITE = 1 << 20;
export const MAX_PAGES = 256;
/** max_write + room for headers; fuse_dev_do_read() refuses a smaller buffer with EINVAL. */
export const REQUEST_BUFFER_SIZE = MAX_WRITE + 8192;

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
} as const;

/** INIT flags; bits from 32 on travel in flags2, here as bit - 32. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  AUTO_INVAL_DATA: 1 << 12,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  HANDLE_KILLPRIV_V2: 1 << 28,
  INIT_EXT: 1 << 30,
} as const;

export const InitFlag2 = {
  PASSTHROUGH: 1 << 5,
} as const;

/** open_flags of the OPEN, CREATE and OPENDIR replies. */
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_KEEP_CACHE = 1 << 1;
export const FOPEN_NOFLUSH = 1 << 5;
export const FOPEN_PASSTHROUGH = 1 << 7;

/** open_flags of the OPEN and CREATE requests: clear setuid and setgid (HANDLE_KILLPRIV_V2). */
export const FUSE_OPEN_KILL_SUIDGID = 1 << 0;
/** write_flags of the WRITE request: the same. */
export const FUSE_WRITE_KILL_SUIDGID = 1 << 2;
/** flags of the FSYNC request. */
export const FUSE_FSYNC_FDATASYNC = 1 << 0;

/** valid bits of the SETATTR request. */
export const SetattrValid = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

/** Codes of notifications, in the error field of a reply whose unique is 0. */
export const Notify = {
  INVAL_INODE: 2,
  INVAL_ENTRY: 3,
  /** Since Linux 6.18. */
  PRUNE: 9,
} as const;

export const ROOT_NODEID = 1;
