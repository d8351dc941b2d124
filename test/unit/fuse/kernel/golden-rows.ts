// Bodies of requests as the kernel lays them out (fuse.h), each field labelled.
import { Opcode } from "../../../../src/fuse/kernel/abi.ts";

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes;
};
const name = (text: string): Buffer => Buffer.from(`${text}\0`);

/** One opcode's body and what it means. */
export interface GoldenRow {
  readonly name: string;
  readonly opcode: number;
  readonly body: readonly Buffer[];
  readonly argument: unknown;
  /** The last field may be absent. */
  readonly optional?: boolean;
}

const setattr = (valid: number): Buffer[] => [
  u32(valid), // valid
  u32(0), // padding
  u64(9n), // fh
  u64(123n), // size
  u64(0n), // lock_owner
  u64(-2n), // atime
  u64(1_700_000_000n), // mtime
  u64(0n), // ctime
  u32(500_000_000), // atimensec
  u32(7), // mtimensec
  u32(0), // ctimensec
  u32(0o106755), // mode
  u32(0), // unused4
  u32(1000), // uid
  u32(2000), // gid
  u32(0), // unused5
];

/** Every operation with a body, and some variants. */
export const rows: readonly GoldenRow[] = [
  {
    name: "LOOKUP",
    opcode: Opcode.LOOKUP,
    body: [name("näme")],
    argument: { name: "näme" },
  },
  { name: "FORGET", opcode: Opcode.FORGET, body: [u64(3n)], argument: { nlookup: 3 } },
  {
    name: "BATCH_FORGET",
    opcode: Opcode.BATCH_FORGET,
    body: [u32(2), u32(0), u64(5n), u64(1n), u64(6n), u64(2n)],
    argument: { pairs: [5, 1, 6, 2] },
  },
  {
    name: "BATCH_FORGET of nothing",
    opcode: Opcode.BATCH_FORGET,
    body: [u32(0), u32(0)],
    argument: { pairs: [] },
  },
  {
    name: "GETATTR",
    opcode: Opcode.GETATTR,
    body: [u32(0), u32(0), u64(9n)], // getattr_flags, dummy, fh
    argument: { fh: undefined },
  },
  {
    name: "GETATTR with a handle",
    opcode: Opcode.GETATTR,
    body: [u32(1), u32(0), u64(9n)],
    argument: { fh: 9 },
  },
  {
    name: "SETATTR of nothing",
    opcode: Opcode.SETATTR,
    body: setattr(0).slice(0, -1),
    argument: { fh: undefined, changes: {} },
  },
  {
    name: "SETATTR of mode, size and times, with a handle",
    opcode: Opcode.SETATTR,
    body: setattr(1 | 8 | 16 | 32 | 64),
    argument: {
      fh: 9,
      changes: {
        mode: 0o6755,
        size: 123,
        atime: -1_500_000_000n,
        mtime: 1_700_000_000_000_000_007n,
      },
    },
    optional: true,
  },
  {
    name: "SETATTR of owner, times to now",
    opcode: Opcode.SETATTR,
    body: setattr(2 | 4 | 16 | 32 | 128 | 256),
    argument: {
      fh: undefined,
      changes: { uid: 1000, gid: 2000, atime: "now", mtime: "now", killPrivileges: true },
    },
    optional: true,
  },
  { name: "READLINK", opcode: Opcode.READLINK, body: [], argument: {} },
  {
    name: "SYMLINK",
    opcode: Opcode.SYMLINK,
    body: [name("link"), name("../target")],
    argument: { name: "link", target: "../target" },
  },
  {
    name: "MKNOD",
    opcode: Opcode.MKNOD,
    body: [u32(0o010644), u32(0x501), u32(0o22), u32(0), name("fifo")], // mode, rdev, umask, padding
    argument: { mode: 0o010644, rdev: 0x501, name: "fifo" },
  },
  {
    name: "MKDIR",
    opcode: Opcode.MKDIR,
    body: [u32(0o755), u32(0o22), name("dir")], // mode, umask
    argument: { mode: 0o755, name: "dir" },
  },
  { name: "UNLINK", opcode: Opcode.UNLINK, body: [name("f")], argument: { name: "f" } },
  { name: "RMDIR", opcode: Opcode.RMDIR, body: [name("d")], argument: { name: "d" } },
  {
    name: "RENAME",
    opcode: Opcode.RENAME,
    body: [u64(77n), name("old"), name("new")], // newdir
    argument: { newdir: 77, flags: 0, oldName: "old", newName: "new" },
  },
  {
    name: "RENAME2",
    opcode: Opcode.RENAME2,
    body: [u64(77n), u32(2), u32(0), name("old"), name("new")], // newdir, flags, padding
    argument: { newdir: 77, flags: 2, oldName: "old", newName: "new" },
  },
  {
    name: "LINK",
    opcode: Opcode.LINK,
    body: [u64(5n), name("l")], // oldnodeid
    argument: { name: "l" },
  },
  {
    name: "OPEN",
    opcode: Opcode.OPEN,
    body: [u32(0x8002), u32(1)], // flags, open_flags
    argument: { flags: 0x8002, openFlags: 1 },
  },
  {
    name: "CREATE",
    opcode: Opcode.CREATE,
    body: [u32(0x80c1), u32(0o100644), u32(0o22), u32(0), name("f")], // flags, mode, umask, open_flags
    argument: { flags: 0x80c1, mode: 0o100644, openFlags: 0, name: "f" },
  },
  {
    name: "READ",
    opcode: Opcode.READ,
    body: [u64(3n), u64(2n ** 40n), u32(131072)], // fh, offset, size; read_flags and so on follow
    argument: { fh: 3, offset: 2 ** 40, size: 131072 },
  },
  {
    name: "WRITE",
    opcode: Opcode.WRITE,
    // fh, offset, size, write_flags, lock_owner, flags, padding, data
    body: [u64(3n), u64(4096n), u32(3), u32(4), u64(0n), u32(0), u32(0), Buffer.from("abc")],
    argument: { fh: 3, offset: 4096, writeFlags: 4, data: Buffer.from("abc") },
  },
  { name: "RELEASE", opcode: Opcode.RELEASE, body: [u64(3n)], argument: { fh: 3 } },
  { name: "FLUSH", opcode: Opcode.FLUSH, body: [u64(3n)], argument: { fh: 3 } },
  {
    name: "FSYNC",
    opcode: Opcode.FSYNC,
    body: [u64(3n), u32(1)], // fh, fsync_flags
    argument: { fh: 3, dataOnly: true },
  },
  {
    name: "FALLOCATE",
    opcode: Opcode.FALLOCATE,
    body: [u64(3n), u64(10n), u64(20n), u32(3)], // fh, offset, length, mode
    argument: { fh: 3, offset: 10, length: 20, mode: 3 },
  },
  {
    name: "LSEEK",
    opcode: Opcode.LSEEK,
    body: [u64(3n), u64(10n), u32(4)], // fh, offset, whence
    argument: { fh: 3, offset: 10, whence: 4 },
  },
  {
    name: "SETXATTR",
    opcode: Opcode.SETXATTR,
    body: [u32(5), u32(1), name("user.a"), Buffer.from("value")], // size, flags
    argument: { flags: 1, name: "user.a", value: Buffer.from("value") },
  },
  {
    name: "GETXATTR",
    opcode: Opcode.GETXATTR,
    body: [u32(100), u32(0), name("user.a")], // size, padding
    argument: { size: 100, name: "user.a" },
  },
  { name: "LISTXATTR", opcode: Opcode.LISTXATTR, body: [u32(100)], argument: { size: 100 } },
  {
    name: "REMOVEXATTR",
    opcode: Opcode.REMOVEXATTR,
    body: [name("user.a")],
    argument: { name: "user.a" },
  },
  {
    name: "READDIR",
    opcode: Opcode.READDIR,
    body: [u64(3n), u64(12n), u32(4096)], // fh, offset, size
    argument: { fh: 3, offset: 12, size: 4096 },
  },
  {
    name: "READDIRPLUS",
    opcode: Opcode.READDIRPLUS,
    body: [u64(3n), u64(12n), u32(4096)],
    argument: { fh: 3, offset: 12, size: 4096 },
  },
  {
    name: "FSYNCDIR",
    opcode: Opcode.FSYNCDIR,
    body: [u64(3n), u32(0)],
    argument: { fh: 3, dataOnly: false },
  },
  { name: "RELEASEDIR", opcode: Opcode.RELEASEDIR, body: [u64(3n)], argument: { fh: 3 } },
  {
    name: "INIT of Linux 6.18",
    opcode: Opcode.INIT,
    // major, minor, max_readahead, flags, flags2, unused
    body: [u32(7), u32(45), u32(131072), u32(0x73fffffb), u32(0x5fd), Buffer.alloc(44)],
    argument: { major: 7, minor: 45, maxReadahead: 131072, flags: 0x73fffffb, flags2: 0x5fd },
    optional: true,
  },
  {
    name: "INIT of Linux 5.4",
    opcode: Opcode.INIT,
    body: [u32(7), u32(31), u32(131072), u32(0x3fffffb)],
    argument: { major: 7, minor: 31, maxReadahead: 131072, flags: 0x3fffffb, flags2: 0 },
  },
];
