// The system calls Node lacks, through koffi. It is an optional dependency: every user needs a way without it.
import { type ErrnoName, FsError, errnoName } from "./errno.ts";
import { type AttributeCalls, bindAttributeCalls } from "./attribute-calls.ts";
import { bindDescriptorCalls, type DescriptorCalls } from "./pass-descriptor.ts";

/** fallocate(2) modes. */
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;
export const FALLOC_FL_ZERO_RANGE = 16;

/** lseek(2) whences that Node has no other way to. */
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** flock(2) operations. */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_UN = 8;
const LOCK_NB = 4;

/** umount2(2) flags. */
export const MNT_DETACH = 2;

// linux/fs.h: _IOW(0x94, 9, int)
const FICLONE = 0x40049409;
// linux/fuse.h: _IOW(229, 1, struct fuse_backing_map) and _IOW(229, 2, uint32_t)
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004e502;

// linux/fs.h: _IOR('f', 1, long), _IOW('f', 2, long), which read and write an int all the same
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_IMMUTABLE_FL = 0x10;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_DONTWAIT_NOSIGNAL = 0x4040;

/** Calls that may block on a disk return a promise and run on a thread; all of them fail with FsError. */
export interface SystemCalls extends DescriptorCalls, AttributeCalls {
  /** Registers file descriptor `fd` with the FUSE connection `device`; returns a backing id above 0. */
  backingOpen(device: number, fd: number): number;
  /** Gives a backing id back; files opened with it stay open. */
  backingClose(device: number, backingId: number): void;
  /** Makes `destination` share all bytes of `source`; EOPNOTSUPP, EXDEV or EINVAL where the disk cannot. */
  reflink(destination: number, source: number): Promise<void>;
  /** Makes an open directory unchangeable for everyone, root too (chattr +i); waits for the disk; EOPNOTSUPP or ENOTTY where that cannot. */
  makeImmutable(fd: number): void;
  /** fallocate(2); `mode` is a combination of the FALLOC_FL bits, 0 to reserve. */
  fallocate(fd: number, mode: number, offset: number, length: number): Promise<void>;
  /** Frees the disk blocks of a range; the size stays. */
  punchHole(fd: number, offset: number, length: number): Promise<void>;
  /** The start of the next data (SEEK_DATA) or hole (SEEK_HOLE) from `offset` on; ENXIO behind the end. Moves the descriptor's position. */
  lseek(fd: number, offset: number, whence: number): Promise<number>;
  /** Takes or drops a lock on an open file without waiting; false when another holds it. */
  flock(fd: number, operation: number): boolean;
  umount2(path: string, flags: number): Promise<void>;
  /** Where the memory starts. */
  addressOf(memory: Uint8Array): bigint;
  /** Gives free memory of malloc(3) back to the system; nothing where the C library cannot (musl). */
  trimMemory(): Promise<void>;
  /** Sends one datagram to the unix socket at `path`; a leading "@" means the abstract namespace. */
  sendDatagram(path: string, data: Uint8Array): void;
}

let loaded: Promise<SystemCalls | undefined> | undefined;

/** Undefined when koffi or the C library cannot be loaded; the same object each time. */
export function loadSystemCalls(): Promise<SystemCalls | undefined> {
  loaded ??= bind().catch(() => undefined);
  return loaded;
}

function systemError(errno: number, action: string): FsError {
  const name = errnoName(errno);
  return name.startsWith("E")
    ? new FsError(name as ErrnoName, `Cannot ${action}: ${name}`)
    : new FsError("EIO", `Cannot ${action}: ${name}`);
}

export type Koffi = (typeof import("koffi"))["default"];
/** The C library. */
export type Library = ReturnType<Koffi["load"]>;

/** How a result below 0 becomes an FsError, at once or from a thread. */
export interface Caller {
  readonly check: (result: number, action: string) => number;
  readonly onThread: (
    call: { async: (...args: never[]) => unknown },
    action: string,
    ...args: readonly (number | string | Buffer)[]
  ) => Promise<number>;
}

async function bind(): Promise<SystemCalls> {
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  const errno = (): number => koffi.errno();
  const caller: Caller = {
    check(result, action) {
      if (result < 0) throw systemError(errno(), action);
      return result;
    },
    onThread: (call, action, ...args) =>
      new Promise((resolve, reject) => {
        const done = (error: unknown, result: number): void => {
          if (error) reject(new FsError("EIO", `Cannot ${action}`, { cause: error }));
          // koffi keeps the thread's errno for the callback
          else if (result < 0) reject(systemError(errno(), action));
          else resolve(result);
        };
        (call.async as (...values: unknown[]) => unknown)(...args, done);
      }),
  };
  return {
    ...bindIoctls(libc, caller),
    ...bindFileCalls(libc, caller, errno),
    ...bindDatagram(libc, caller),
    ...bindAttributeCalls(libc, caller),
    ...bindDescriptorCalls(koffi, libc, caller),
    addressOf: (memory) => koffi.address(memory),
    trimMemory: bindTrim(libc, caller),
  };
}

function bindIoctls(
  libc: Library,
  { check, onThread }: Caller,
): Pick<SystemCalls, "backingOpen" | "backingClose" | "reflink" | "makeImmutable"> {
  const withPointer = libc.func("int ioctl(int fd, unsigned long request, void *argument)");
  const withNumber = libc.func("int ioctl(int fd, unsigned long request, int argument)");
  return {
    backingOpen(device, fd) {
      const map = Buffer.alloc(16); // struct fuse_backing_map { int32 fd; uint32 flags; uint64 padding }
      map.writeInt32LE(fd, 0);
      return check(withPointer(device, FUSE_DEV_IOC_BACKING_OPEN, map), "register a backing file");
    },
    backingClose(device, backingId) {
      const id = Buffer.alloc(4);
      id.writeUInt32LE(backingId, 0);
      check(withPointer(device, FUSE_DEV_IOC_BACKING_CLOSE, id), "release a backing file");
    },
    async reflink(destination, source) {
      await onThread(withNumber, "reflink", destination, FICLONE, source);
    },
    makeImmutable(fd) {
      const flags = Buffer.alloc(4);
      check(withPointer(fd, FS_IOC_GETFLAGS, flags), "read the flags of a file");
      flags.writeUInt32LE((flags.readUInt32LE() | FS_IMMUTABLE_FL) >>> 0);
      check(withPointer(fd, FS_IOC_SETFLAGS, flags), "make a file immutable");
    },
  };
}

function bindFileCalls(
  libc: Library,
  { onThread }: Caller,
  errno: () => number,
): Pick<SystemCalls, "fallocate" | "punchHole" | "lseek" | "flock" | "umount2"> {
  const fallocateCall = libc.func(
    "int fallocate(int fd, int mode, int64_t offset, int64_t length)",
  );
  const lseek = libc.func("int64_t lseek(int fd, int64_t offset, int whence)");
  const flock = libc.func("int flock(int fd, int operation)");
  const umount2 = libc.func("int umount2(const char *path, int flags)");
  const fallocate = async (
    fd: number,
    mode: number,
    offset: number,
    length: number,
  ): Promise<void> => {
    await onThread(fallocateCall, "allocate disk blocks", fd, mode, offset, length);
  };
  return {
    fallocate,
    punchHole: (fd, offset, length) =>
      fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length),
    lseek: (fd, offset, whence) => onThread(lseek, "seek data or hole", fd, offset, whence),
    flock(fd, operation) {
      if (flock(fd, operation | LOCK_NB) === 0) return true;
      const error = systemError(errno(), "lock");
      if (error.code === "EAGAIN") return false;
      throw error;
    },
    async umount2(path, flags) {
      await onThread(umount2, "unmount", path, flags);
    },
  };
}

function bindTrim(libc: Library, { onThread }: Caller): SystemCalls["trimMemory"] {
  try {
    const trim = libc.func("int malloc_trim(size_t padding)");
    return async () => {
      await onThread(trim, "give memory back", 0);
    };
  } catch {
    return () => Promise.resolve();
  }
}

function bindDatagram(libc: Library, { check }: Caller): Pick<SystemCalls, "sendDatagram"> {
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const sendto = libc.func(
    "int64_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t size)",
  );
  const close = libc.func("int close(int fd)");
  return {
    sendDatagram(path, data) {
      // struct sockaddr_un { uint16 family; char path[108] }, without the final NUL for abstract names
      const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
      const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
      const fd = check(socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0), "make a socket");
      try {
        check(
          sendto(fd, data, data.length, MSG_DONTWAIT_NOSIGNAL, address, address.length),
          "send a datagram",
        );
      } finally {
        close(fd);
      }
    },
  };
}
