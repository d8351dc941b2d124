/** Attributes as a driver reports them; times in nanoseconds. */
export interface PosixStat {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

/** One open file of a driver. */
export interface PosixFile {
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, data: string | Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  stat(): Promise<PosixStat>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The calls the suite makes, on absolute paths of an empty file system; every rejection has the errno's name as `code`. */
export interface PosixDriver {
  /** Whether the kernel is in between: it checks permissions, follows symlinks and resolves paths. */
  readonly viaKernel: boolean;
  /** False where RENAME_EXCHANGE is refused with EINVAL, as many file systems do. */
  readonly canExchange?: boolean;
  /** Bytes of an xattr's value that there is room for, where it is less than usual. */
  readonly largeXattr?: number;
  /** Nanoseconds that times are a multiple of; 1 unless given. */
  readonly timeStep?: bigint;
  lstat(path: string): Promise<PosixStat>;
  open(path: string, flags: number, mode?: number): Promise<PosixFile>;
  mkdir(path: string, mode?: number): Promise<void>;
  mknod(path: string, mode: number): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** `flags`: NOREPLACE 1, EXCHANGE 2. */
  rename(from: string, to: string, flags?: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  utimens(path: string, atime: bigint, mtime: bigint): Promise<void>;
  /** Names with their type bits, without "." and "..". */
  readdir(path: string): Promise<ReadonlyMap<string, number>>;
  getxattr(path: string, name: string): Promise<Buffer>;
  setxattr(path: string, name: string, value: string, flags?: number): Promise<void>;
  listxattr(path: string): Promise<readonly string[]>;
  removexattr(path: string, name: string): Promise<void>;
  /** The same file system as another user sees it; only where `viaKernel`. */
  as(uid: number, gid: number): Promise<PosixDriver>;
  close(): Promise<void>;
}
