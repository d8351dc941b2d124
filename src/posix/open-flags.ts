// open(2) flags as Linux passes them (asm-generic/fcntl.h; arm64 differs only in flags that never reach us).

export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_SYNC = 0o4010000;
export const O_DSYNC = 0o10000;

/** The flags of one open(2), decoded. */
export interface OpenFlags {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly exclusive: boolean;
  readonly truncate: boolean;
  readonly append: boolean;
}

/** Decodes the flags word of open(2); access mode 3 (ioctl only) counts as both. */
export function parseOpenFlags(flags: number): OpenFlags {
  const mode = flags & O_ACCMODE;
  return {
    readable: mode !== O_WRONLY,
    writable: mode !== O_RDONLY,
    exclusive: (flags & O_EXCL) !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    append: (flags & O_APPEND) !== 0,
  };
}
