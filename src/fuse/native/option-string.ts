import { FsError } from "../../posix/errno.ts";

/** How to mount with libfuse. */
export interface LibfuseOptions {
  /** Shown as the device in mount tables. */
  readonly source: string;
  readonly readOnly: boolean;
  /** Whether other users than the mounting one may enter. */
  readonly allowOther: boolean;
  /** Whether the directory below may hold something. */
  readonly nonempty: boolean;
  /** Words of mount(8), such as noatime. */
  readonly mountWords: readonly string[];
}

// lib/mount.c of libfuse 2.9: one more is refused only after the kernel has mounted
const mountWordsOfLibfuse = new Set(
  ["rw", "ro", "suid", "nosuid", "dev", "nodev", "exec", "noexec"].concat([
    "async",
    "sync",
    "dirsync",
    "atime",
    "noatime",
  ]),
);

/** Bytes that fuse-native passes on; the rest of a longer text it would cut off. */
export const MOUNT_TEXT_MAX = 1023;

/** The option string of libfuse 2; EINVAL for what it does not know or has no room for. */
export function optionString(options: LibfuseOptions): string {
  const unknown = options.mountWords.find((word) => !mountWordsOfLibfuse.has(word));
  if (unknown !== undefined) {
    throw new FsError(
      "EINVAL",
      `Cannot mount with fuse=native and the option ${unknown}: libfuse 2 does not know it; leave it out, or use fuse=kernel`,
    );
  }
  const words = [
    "subtype=pailfs",
    `fsname=${escaped(options.source)}`,
    "default_permissions",
    // the core's inode numbers, which outlive a mount
    "use_ino",
    // 4 KiB else
    "big_writes",
    "max_write=131072",
    // libfuse has one kernel inode, and so one page cache, for a name whatever object is behind it: two versions would mix
    "direct_io",
    // there is no way to tell this kernel what changed
    "entry_timeout=1",
    "attr_timeout=1",
    "negative_timeout=0",
    ...(options.allowOther ? ["allow_other"] : []),
    ...(options.readOnly ? ["ro"] : []),
    ...(options.nonempty ? ["nonempty"] : []),
    ...options.mountWords,
  ];
  const text = `-o${words.join(",")}`;
  if (Buffer.byteLength(text) > MOUNT_TEXT_MAX) {
    throw new FsError(
      "EINVAL",
      `Cannot mount ${options.source} with fuse=native: its options are longer than ${MOUNT_TEXT_MAX} bytes; use fuse=kernel`,
    );
  }
  return text;
}

// fuse_opt.c: a backslash takes the next character as it is
function escaped(text: string): string {
  return text.replaceAll(/[\\,]/g, String.raw`\$&`);
}
