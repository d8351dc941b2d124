// The seam between the file system core and its FUSE adapters.
import type { Nanoseconds, Stat, StatFs } from "../posix/stat.ts";

/** A value now or later: what is cached is answered without a microtask hop. */
export type MaybePromise<T> = T | Promise<T>;

/** Who calls, and when they gave up. */
export interface CallContext {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Already applied to modes by the kernel adapter (the kernel masks them); kept for information. */
  readonly umask: number;
  /** Fires when the caller was interrupted. */
  readonly signal: AbortSignal;
}

/** A name's attributes and for how long the caller may keep them, in ms (0: ask again each time). */
export interface Entry {
  readonly stat: Stat;
  readonly validMs: number;
}

/** One record of a directory listing; `stat` carries type and ino. "." and ".." are the adapter's business. */
export interface DirectoryEntry extends Entry {
  readonly name: string;
}

/** The attributes setattr(2)-like calls change; absent fields stay. `"now"` takes the time of the call. */
export interface AttributeChanges {
  /** Permission bits only, no type bits. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Nanoseconds | "now";
  readonly mtime?: Nanoseconds | "now";
  /** The kernel asks to clear setuid and setgid (write, truncate, chown by a user). */
  readonly killPrivileges?: boolean;
}

/** renameat2(2) flags. */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** setxattr(2) flags. */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

/**
 * POSIX calls on absolute paths of the mount. Calls run concurrently; each rejects (or throws, when it answers
 * synchronously) only with FsError. Permission checks are the kernel's (`default_permissions`), except those it
 * leaves to the file system. Paths hold valid Unicode only.
 */
export interface FileSystem {
  /** Undefined: absent for certain. */
  lookup(path: string, context: CallContext): MaybePromise<Entry | undefined>;
  getattr(path: string, context: CallContext): MaybePromise<Entry>;
  setattr(path: string, changes: AttributeChanges, context: CallContext): MaybePromise<Entry>;
  readlink(path: string, context: CallContext): MaybePromise<string>;

  mkdir(path: string, mode: number, context: CallContext): MaybePromise<Entry>;
  /** `mode` with type bits; regular files too. */
  mknod(path: string, mode: number, rdev: number, context: CallContext): MaybePromise<Entry>;
  symlink(path: string, target: string, context: CallContext): MaybePromise<Entry>;
  unlink(path: string, context: CallContext): MaybePromise<void>;
  rmdir(path: string, context: CallContext): MaybePromise<void>;
  rename(from: string, to: string, flags: number, context: CallContext): MaybePromise<void>;

  /**
   * Opens an existing regular file. The handle's `entry().stat` may have another `generation` than the path had: then
   * the bytes are not those an earlier open of the path reads, and the adapter must not mix them in one kernel inode.
   */
  open(path: string, flags: number, context: CallContext): MaybePromise<FileHandle>;
  /** Creates and opens; EEXIST with O_EXCL when there, else opens what is there as open() does. */
  create(path: string, flags: number, mode: number, context: CallContext): MaybePromise<FileHandle>;
  /** A snapshot per handle: complete and free of duplicates under concurrent changes. */
  opendir(path: string, context: CallContext): MaybePromise<DirectoryHandle>;

  /** Rejects with ENODATA when absent. */
  getxattr(path: string, name: string, context: CallContext): MaybePromise<Uint8Array>;
  setxattr(
    path: string,
    name: string,
    value: Uint8Array,
    flags: number,
    context: CallContext,
  ): MaybePromise<void>;
  listxattr(path: string, context: CallContext): MaybePromise<readonly string[]>;
  removexattr(path: string, name: string, context: CallContext): MaybePromise<void>;
  statfs(context: CallContext): MaybePromise<StatFs>;

  /** Tells the adapter what changed behind the kernel's back; at most one listener. */
  onChange(listener: (change: Change) => void): void;
}

/** What an adapter's kernel should forget. */
export type Change =
  /** Attributes or bytes of the node at `path`. */
  | { readonly kind: "attributes" | "data"; readonly path: string }
  /** What the name at `path` stands for. */
  | { readonly kind: "entry"; readonly path: string };

/** One open(2). Calls on one handle may overlap. */
export interface FileHandle {
  /** Attributes as this handle sees them, also after the name was unlinked (nlink 0) or replaced. */
  entry(): Entry;
  /** Whether pages the kernel holds of this inode generation are still right (FOPEN_KEEP_CACHE). */
  readonly keepCache: boolean;
  /** A descriptor whose bytes at offset n are the file's byte n, for FUSE passthrough; stable while the handle is open. */
  backing(): number | undefined;

  /** At most `length` bytes at `offset` in order; fewer only at end of file. The arrays are lent until the event loop's next turn. */
  read(offset: number, length: number, context: CallContext): MaybePromise<readonly Uint8Array[]>;
  /** Writes all of `data`, or rejects; `data` is borrowed until the call settles. Appends when opened with O_APPEND. */
  write(offset: number, data: Uint8Array, context: CallContext): MaybePromise<number>;
  setattr(changes: AttributeChanges, context: CallContext): MaybePromise<Entry>;
  /** The promise of close(2): what was written is durable when this resolves. Called once per closed descriptor. */
  flush(context: CallContext): MaybePromise<void>;
  fsync(dataOnly: boolean, context: CallContext): MaybePromise<void>;
  /** fallocate(2) mode bits (KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16); EOPNOTSUPP for others. */
  fallocate(mode: number, offset: number, length: number, context: CallContext): MaybePromise<void>;
  /** SEEK_DATA (3) and SEEK_HOLE (4). */
  lseek(offset: number, whence: number, context: CallContext): MaybePromise<number>;
  /** Frees; never throws. */
  release(): void;
}

/** One opendir(3). */
export interface DirectoryHandle {
  /**
   * The entries from position `offset` (0-based count of entries before) on: at least one, or none at the end. With
   * `plus` false only names and inode numbers are asked for: a type that is not known is 0.
   */
  read(
    offset: number,
    context: CallContext,
    plus?: boolean,
  ): MaybePromise<readonly DirectoryEntry[]>;
  /** Makes the names in this directory durable. */
  fsync(context: CallContext): MaybePromise<void>;
  release(): void;
}
