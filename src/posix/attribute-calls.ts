// System calls on attributes that Node lacks or rounds: nanoseconds, extended attributes, special files.
import type { Caller, Library } from "./syscalls.ts";
import { FsError } from "./errno.ts";
import type { Nanoseconds } from "./stat.ts";

/** Paths are followed to what they name; values are bytes. */
export interface AttributeCalls {
  /** Makes a fifo, socket or device node; `mode` has the type bits and is cut by the umask. */
  mknod(path: string, mode: number, rdev: number): Promise<void>;
  /** Sets times; an absent one stays. */
  utimens(
    path: string,
    times: { readonly atime?: Nanoseconds | "now"; readonly mtime?: Nanoseconds | "now" },
  ): Promise<void>;
  /** ENODATA when it is not set. */
  getxattr(path: string, name: string): Promise<Uint8Array>;
  setxattr(path: string, name: string, value: Uint8Array, flags: number): Promise<void>;
  listxattr(path: string): Promise<readonly string[]>;
  removexattr(path: string, name: string): Promise<void>;
}

const AT_FDCWD = -100;
const UTIME_NOW = 0x3fffffffn;
const UTIME_OMIT = 0x3ffffffen;
const NS_PER_SECOND = 1_000_000_000n;
/** Linux takes no longer value and no longer list of names (linux/limits.h). */
const XATTR_MAX = 65_536;

/** Looks the calls up; throws where the C library lacks something. */
export function bindAttributeCalls(libc: Library, { onThread }: Caller): AttributeCalls {
  const utimensat = libc.func("int utimensat(int at, const char *path, void *times, int flags)");
  const get = libc.func(
    "int64_t getxattr(const char *path, const char *name, void *value, size_t size)",
  );
  const set = libc.func(
    "int setxattr(const char *path, const char *name, void *value, size_t size, int flags)",
  );
  const list = libc.func("int64_t listxattr(const char *path, void *names, size_t size)");
  const remove = libc.func("int removexattr(const char *path, const char *name)");
  return {
    mknod: bindMknod(libc, onThread),
    async utimens(path, { atime, mtime }) {
      const times = Buffer.alloc(32); // struct timespec[2]
      encodeTime(times, 0, atime);
      encodeTime(times, 16, mtime);
      await onThread(utimensat, "set times", AT_FDCWD, path, times, 0);
    },
    async getxattr(path, name) {
      const value = Buffer.alloc(XATTR_MAX);
      const size = await onThread(get, "read an extended attribute", path, name, value, XATTR_MAX);
      return value.subarray(0, size);
    },
    async setxattr(path, name, value, flags) {
      const bytes = Buffer.from(value);
      await onThread(set, "set an extended attribute", path, name, bytes, bytes.length, flags);
    },
    async listxattr(path) {
      const names = Buffer.alloc(XATTR_MAX);
      const size = await onThread(list, "list extended attributes", path, names, XATTR_MAX);
      return names
        .toString("utf8", 0, size)
        .split("\0")
        .filter((name) => name !== "");
    },
    async removexattr(path, name) {
      await onThread(remove, "remove an extended attribute", path, name);
    },
  };
}

// glibc before 2.33 has no such symbol: it is inline there
function bindMknod(libc: Library, onThread: Caller["onThread"]): AttributeCalls["mknod"] {
  try {
    const mknod = libc.func("int mknod(const char *path, unsigned int mode, uint64_t device)");
    return async (path, mode, rdev) => {
      await onThread(mknod, "make a special file", path, mode, rdev);
    };
  } catch {
    return () =>
      Promise.reject(new FsError("EPERM", "Cannot make a special file: glibc is too old"));
  }
}

function encodeTime(out: Buffer, offset: number, time: Nanoseconds | "now" | undefined): void {
  if (time === undefined || time === "now") {
    out.writeBigInt64LE(time === undefined ? UTIME_OMIT : UTIME_NOW, offset + 8);
    return;
  }
  // before 1970 too: 0 <= nanoseconds
  const nanoseconds = ((time % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  out.writeBigInt64LE((time - nanoseconds) / NS_PER_SECOND, offset);
  out.writeBigInt64LE(nanoseconds, offset + 8);
}
