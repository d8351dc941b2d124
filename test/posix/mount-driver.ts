// Drives a mount from this process by node:fs, and by an agent where Node has no call or another user is wanted.
import { type BigIntStats, constants } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { FileType } from "../../src/posix/stat.ts";
import { Agent } from "../support/mount/agent.ts";
import type { PosixDriver, PosixFile, PosixStat } from "./posix-driver.ts";

function toPosixStat(stat: BigIntStats): PosixStat {
  return {
    ino: Number(stat.ino),
    mode: Number(stat.mode),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    atime: stat.atimeNs,
    mtime: stat.mtimeNs,
    ctime: stat.ctimeNs,
  };
}

function fileOf(file: fs.FileHandle, flags: number): PosixFile {
  return {
    async read(offset, length) {
      const bytes = Buffer.alloc(length);
      let done = 0;
      for (;;) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        done += bytesRead;
        if (bytesRead === 0 || done === length) return bytes.subarray(0, done);
      }
    },
    async write(offset, data) {
      // pwrite(2) on Linux appends whatever the offset when O_APPEND is set, as POSIX forbids; write(2) is meant
      const position = (flags & constants.O_APPEND) === 0 ? offset : null;
      await file.write(Buffer.from(data), 0, null, position);
    },
    truncate: (size) => file.truncate(size),
    stat: async () => toPosixStat(await file.stat({ bigint: true })),
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

/** A driver on the mounted directory `root`. */
export function mountDriver(root: string): PosixDriver {
  const at = (path: string): string => join(root, path);
  const agent = new Agent();
  const others: PosixDriver[] = [];
  return {
    viaKernel: true,
    lstat: async (path) => toPosixStat(await fs.lstat(at(path), { bigint: true })),
    open: async (path, flags, mode) => fileOf(await fs.open(at(path), flags, mode), flags),
    async mkdir(path, mode) {
      await fs.mkdir(at(path), { mode: mode ?? 0o777 });
    },
    symlink: (target, path) => fs.symlink(target, at(path)),
    readlink: (path) => fs.readlink(at(path)),
    link: (from, to) => fs.link(at(from), at(to)),
    unlink: (path) => fs.unlink(at(path)),
    rmdir: (path) => fs.rmdir(at(path)),
    async rename(from, to, flags = 0) {
      if (flags === 0) await fs.rename(at(from), at(to));
      else await agent.run("renameat2(a, b, f)", { a: at(from), b: at(to), f: flags });
    },
    chmod: (path, mode) => fs.chmod(at(path), mode),
    chown: (path, uid, gid) => fs.lchown(at(path), uid, gid),
    truncate: (path, size) => fs.truncate(at(path), size),
    async readdir(path) {
      const entries = await fs.readdir(at(path), { withFileTypes: true });
      return new Map(entries.map((entry) => [entry.name, typeOf(entry)]));
    },
    ...agentCalls(agent, at),
    async as(uid, gid) {
      const other = agentDriver(new Agent({ uid, gid }), root, this);
      others.push(other);
      return other;
    },
    async close() {
      await agent.stop();
      for (const other of others) await other.close();
    },
  };
}

function typeOf(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}): number {
  if (entry.isFile()) return FileType.file;
  if (entry.isDirectory()) return FileType.directory;
  if (entry.isSymbolicLink()) return FileType.symlink;
  if (entry.isFIFO()) return FileType.fifo;
  return entry.isSocket() ? FileType.socket : 0;
}

type AgentCalls = Pick<
  PosixDriver,
  "mknod" | "utimens" | "getxattr" | "setxattr" | "listxattr" | "removexattr"
>;

function agentCalls(agent: Agent, at: (path: string) => string): AgentCalls {
  return {
    async mknod(path, mode) {
      await agent.run("os.mknod(p, m)", { p: at(path), m: mode });
    },
    async utimens(path, atime, mtime) {
      const code = "os.utime(p, ns=(int(a), int(m)), follow_symlinks=False)";
      await agent.run(code, { p: at(path), a: `${atime}`, m: `${mtime}` });
    },
    async getxattr(path, name) {
      const code = "result = os.getxattr(p, n, follow_symlinks=False).hex()";
      return Buffer.from((await agent.run(code, { p: at(path), n: name })) as string, "hex");
    },
    async setxattr(path, name, value, flags = 0) {
      const code = "os.setxattr(p, n, v.encode(), f, follow_symlinks=False)";
      await agent.run(code, { p: at(path), n: name, v: value, f: flags });
    },
    listxattr: async (path) =>
      (await agent.run("result = os.listxattr(p)", { p: at(path) })) as string[],
    async removexattr(path, name) {
      await agent.run("os.removexattr(p, n)", { p: at(path), n: name });
    },
  };
}

/** Only the calls that permission tests need; the rest is `base`'s, as root. */
function agentDriver(agent: Agent, root: string, base: PosixDriver): PosixDriver {
  const at = (path: string): string => join(root, path);
  const run = async (code: string, path: string, more: object = {}): Promise<void> => {
    await agent.run(code, { p: at(path), ...more });
  };
  return {
    ...base,
    ...agentCalls(agent, at),
    async open(path, flags, mode = 0o666) {
      await run("f = os.open(p, n, m)", path, { n: flags, m: mode });
      return {
        async read(offset, length) {
          const code = "result = os.pread(f, n, o).hex()";
          return Buffer.from((await agent.run(code, { n: length, o: offset })) as string, "hex");
        },
        async write(offset, data) {
          const hex = Buffer.from(data).toString("hex");
          await agent.run("os.pwrite(f, bytes.fromhex(d), o)", { d: hex, o: offset });
        },
        truncate: (size) => run("os.ftruncate(f, n)", path, { n: size }),
        stat: () => base.lstat(path),
        sync: () => run("os.fsync(f)", path),
        close: () => run("os.close(f)", path),
      };
    },
    mkdir: (path, mode = 0o777) => run("os.mkdir(p, m)", path, { m: mode }),
    unlink: (path) => run("os.unlink(p)", path),
    rmdir: (path) => run("os.rmdir(p)", path),
    rename: (from, to) => run("os.rename(p, t)", from, { t: at(to) }),
    chmod: (path, mode) => run("os.chmod(p, m)", path, { m: mode }),
    chown: (path, uid, gid) => run("os.chown(p, u, g)", path, { u: uid, g: gid }),
    truncate: (path, size) => run("os.truncate(p, n)", path, { n: size }),
    close: () => agent.stop(),
  };
}

/** The calls on a mount that ends with them; no system call of Python exchanges names. */
export function driverOfMount(mount: {
  readonly mountpoint: string;
  stop(): Promise<void>;
}): PosixDriver {
  const driver = mountDriver(mount.mountpoint);
  return {
    ...driver,
    canExchange: false,
    async close() {
      await driver.close();
      await mount.stop();
    },
  };
}
