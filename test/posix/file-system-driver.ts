// Drives a FileSystem in process, in the order in which the kernel would.
import type { CallContext, FileHandle, FileSystem } from "../../src/fs/file-system.ts";
import { FsError } from "../../src/posix/errno.ts";
import { O_CREAT, O_EXCL } from "../../src/posix/open-flags.ts";
import { FileType, type Stat } from "../../src/posix/stat.ts";
import type { PosixDriver, PosixFile, PosixStat } from "./posix-driver.ts";

const context: CallContext = {
  uid: 0,
  gid: 0,
  pid: process.pid,
  umask: 0o022,
  signal: new AbortController().signal,
};

function toPosixStat(stat: Stat): PosixStat {
  return stat;
}

function fileOf(handle: FileHandle): PosixFile {
  return {
    read: async (offset, length) => Buffer.concat(await handle.read(offset, length, context)),
    async write(offset, data) {
      await handle.write(offset, Buffer.from(data), context);
    },
    async truncate(size) {
      await handle.setattr({ size }, context);
    },
    stat: async () => toPosixStat(handle.entry().stat),
    sync: async () => handle.fsync(false, context),
    async close() {
      try {
        await handle.flush(context);
      } finally {
        handle.release();
      }
    },
  };
}

async function openFile(
  fileSystem: FileSystem,
  path: string,
  flags: number,
  mode: number,
): Promise<PosixFile> {
  const found = await fileSystem.lookup(path, context);
  if (found === undefined && (flags & O_CREAT) !== 0) {
    return fileOf(await fileSystem.create(path, flags, mode & ~context.umask, context));
  }
  if (found === undefined) throw new FsError("ENOENT", `Cannot open "${path}"`);
  if ((flags & O_CREAT) !== 0 && (flags & O_EXCL) !== 0) {
    throw new FsError("EEXIST", `Cannot create "${path}"`);
  }
  return fileOf(await fileSystem.open(path, flags & ~(O_CREAT | O_EXCL), context));
}

async function list(fileSystem: FileSystem, path: string): Promise<ReadonlyMap<string, number>> {
  const handle = await fileSystem.opendir(path, context);
  const names = new Map<string, number>();
  for (;;) {
    const batch = await handle.read(names.size, context);
    if (batch.length === 0) break;
    for (const { name, stat } of batch) names.set(name, stat.mode & FileType.mask);
  }
  handle.release();
  return names;
}

/** A driver without a kernel. */
export function fileSystemDriver(fileSystem: FileSystem): PosixDriver {
  return {
    viaKernel: false,
    async lstat(path) {
      const entry = await fileSystem.lookup(path, context);
      if (entry === undefined) throw new FsError("ENOENT", `Cannot stat "${path}"`);
      return toPosixStat(entry.stat);
    },
    open: (path, flags, mode = 0o666) => openFile(fileSystem, path, flags, mode),
    async mkdir(path, mode = 0o777) {
      await fileSystem.mkdir(path, mode & ~context.umask, context);
    },
    async mknod(path, mode) {
      await fileSystem.mknod(path, mode & ~context.umask, 0, context);
    },
    async symlink(target, path) {
      await fileSystem.symlink(path, target, context);
    },
    readlink: async (path) => fileSystem.readlink(path, context),
    async link(_from, to) {
      // there is no such call: the adapter answers
      throw new FsError("EPERM", `Cannot link "${to}"`);
    },
    unlink: async (path) => fileSystem.unlink(path, context),
    rmdir: async (path) => fileSystem.rmdir(path, context),
    rename: async (from, to, flags = 0) => fileSystem.rename(from, to, flags, context),
    async chmod(path, mode) {
      await fileSystem.setattr(path, { mode }, context);
    },
    async chown(path, uid, gid) {
      await fileSystem.setattr(path, { uid, gid, killPrivileges: true }, context);
    },
    async truncate(path, size) {
      await fileSystem.setattr(path, { size }, context);
    },
    async utimens(path, atime, mtime) {
      await fileSystem.setattr(path, { atime, mtime }, context);
    },
    readdir: (path) => list(fileSystem, path),
    getxattr: async (path, name) => Buffer.from(await fileSystem.getxattr(path, name, context)),
    async setxattr(path, name, value, flags = 0) {
      await fileSystem.setxattr(path, name, Buffer.from(value), flags, context);
    },
    listxattr: async (path) => fileSystem.listxattr(path, context),
    removexattr: async (path, name) => fileSystem.removexattr(path, name, context),
    as: () => Promise.reject(new Error("there is no kernel that would check other users")),
    close: async () => {},
  };
}
