// Replies as values, and their bytes. Encoding happens when a reply is written: one buffer serves all.
import type { Entry } from "../../fs/file-system.ts";
import { Errno } from "../../posix/errno.ts";
import type { Nanoseconds, Stat, StatFs } from "../../posix/stat.ts";

/** Body sizes of successful replies (fuse.h: struct fuse_entry_out and so on). */
export const ReplySize = {
  entry: 128,
  attr: 104,
  open: 16,
  create: 144,
  write: 8,
  lseek: 8,
  statfs: 80,
  init: 64,
} as const;

/** What INIT is answered with. */
export interface InitReply {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
  readonly maxStackDepth: number;
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly maxWrite: number;
  readonly maxPages: number;
}

export interface OpenReply {
  readonly fh: number;
  readonly openFlags: number;
  readonly backingId: number;
}

/** The answer to one request; "none" for those the kernel wants no answer to. */
export type Reply =
  | { readonly kind: "none" }
  | { readonly kind: "done" }
  /** As if an FsError were thrown, without the price of one: for answers that are no failure. */
  | { readonly kind: "error"; readonly errno: Errno }
  | { readonly kind: "entry"; readonly nodeid: number; readonly entry: Entry }
  | { readonly kind: "attr"; readonly entry: Entry }
  | { readonly kind: "open"; readonly open: OpenReply }
  | {
      readonly kind: "create";
      readonly nodeid: number;
      readonly entry: Entry;
      readonly open: OpenReply;
    }
  | { readonly kind: "size"; readonly size: number }
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "statfs"; readonly statfs: StatFs }
  | { readonly kind: "init"; readonly init: InitReply }
  | { readonly kind: "bytes"; readonly chunks: readonly Uint8Array[] };

export const NONE: Reply = { kind: "none" };
export const DONE: Reply = { kind: "done" };
export const ABSENT: Reply = { kind: "error", errno: Errno.ENOENT };
/** Makes the kernel look the name up again, once. */
export const STALE: Reply = { kind: "error", errno: Errno.ESTALE };

/** Encodes the body of `reply` at `offset` and returns its size; "bytes" are not copied and count 0. */
export function encodeReply(reply: Reply, out: Buffer, offset: number): number {
  switch (reply.kind) {
    case "none":
    case "done":
    case "error":
    case "bytes":
      return 0;
    case "entry":
      encodeEntry(out, offset, reply.nodeid, reply.entry);
      return ReplySize.entry;
    case "attr":
      encodeValidity(out, offset, offset + 8, reply.entry.validMs);
      out.writeUInt32LE(0, offset + 12);
      encodeAttr(out, offset + 16, reply.entry.stat);
      return ReplySize.attr;
    case "open":
      encodeOpen(out, offset, reply.open);
      return ReplySize.open;
    case "create":
      encodeEntry(out, offset, reply.nodeid, reply.entry);
      encodeOpen(out, offset + ReplySize.entry, reply.open);
      return ReplySize.create;
    case "size":
      out.writeUInt32LE(reply.size, offset);
      out.writeUInt32LE(0, offset + 4);
      return ReplySize.write;
    case "offset":
      writeU64(out, offset, reply.offset);
      return ReplySize.lseek;
    case "statfs":
      encodeStatfs(out, offset, reply.statfs);
      return ReplySize.statfs;
    case "init":
      encodeInit(out, offset, reply.init);
      return ReplySize.init;
    default:
      return reply satisfies never;
  }
}

const TWO_POW_32 = 2 ** 32;

/** Writes a whole number up to 2^53. */
export function writeU64(out: Buffer, offset: number, value: number): void {
  out.writeUInt32LE(value % TWO_POW_32, offset);
  out.writeUInt32LE(Math.floor(value / TWO_POW_32), offset + 4);
}

function encodeValidity(
  out: Buffer,
  secondsAt: number,
  nanosecondsAt: number,
  validMs: number,
): void {
  writeU64(out, secondsAt, Math.floor(validMs / 1000));
  out.writeUInt32LE((validMs % 1000) * 1_000_000, nanosecondsAt);
}

/** struct fuse_entry_out; nodeid 0 in READDIRPLUS means "no attributes". */
export function encodeEntry(out: Buffer, offset: number, nodeid: number, entry: Entry): void {
  writeU64(out, offset, nodeid);
  // generation stays 0: nodeids are never reused
  writeU64(out, offset + 8, 0);
  encodeValidity(out, offset + 16, offset + 32, entry.validMs);
  encodeValidity(out, offset + 24, offset + 36, entry.validMs);
  encodeAttr(out, offset + 40, entry.stat);
}

const NS_PER_SECOND = 1_000_000_000n;

function encodeTime(
  out: Buffer,
  secondsAt: number,
  nanosecondsAt: number,
  time: Nanoseconds,
): void {
  let seconds = time / NS_PER_SECOND;
  let rest = time - seconds * NS_PER_SECOND;
  if (rest < 0n) {
    // before 1970: the kernel wants 0 <= nsec
    seconds -= 1n;
    rest += NS_PER_SECOND;
  }
  out.writeBigInt64LE(seconds, secondsAt);
  out.writeUInt32LE(Number(rest), nanosecondsAt);
}

// what cp and stdio use as their buffer size
const BLOCK_SIZE = 128 * 1024;

/** struct fuse_attr, 88 bytes. */
export function encodeAttr(out: Buffer, offset: number, stat: Stat): void {
  writeU64(out, offset, stat.ino);
  writeU64(out, offset + 8, stat.size);
  writeU64(out, offset + 16, Math.ceil(stat.size / 512));
  encodeTime(out, offset + 24, offset + 48, stat.atime);
  encodeTime(out, offset + 32, offset + 52, stat.mtime);
  encodeTime(out, offset + 40, offset + 56, stat.ctime);
  out.writeUInt32LE(stat.mode, offset + 60);
  out.writeUInt32LE(stat.nlink, offset + 64);
  out.writeUInt32LE(stat.uid, offset + 68);
  out.writeUInt32LE(stat.gid, offset + 72);
  out.writeUInt32LE(stat.rdev, offset + 76);
  out.writeUInt32LE(BLOCK_SIZE, offset + 80);
  out.writeUInt32LE(0, offset + 84);
}

function encodeOpen(out: Buffer, offset: number, open: OpenReply): void {
  writeU64(out, offset, open.fh);
  out.writeUInt32LE(open.openFlags, offset + 8);
  out.writeInt32LE(open.backingId, offset + 12);
}

function encodeStatfs(out: Buffer, offset: number, statfs: StatFs): void {
  out.fill(0, offset, offset + ReplySize.statfs);
  writeU64(out, offset, statfs.blocks);
  writeU64(out, offset + 8, statfs.bfree);
  writeU64(out, offset + 16, statfs.bavail);
  writeU64(out, offset + 24, statfs.files);
  writeU64(out, offset + 32, statfs.ffree);
  out.writeUInt32LE(statfs.bsize, offset + 40);
  out.writeUInt32LE(statfs.namelen, offset + 44);
  out.writeUInt32LE(statfs.bsize, offset + 48);
}

function encodeInit(out: Buffer, offset: number, init: InitReply): void {
  out.fill(0, offset, offset + ReplySize.init);
  out.writeUInt32LE(init.major, offset);
  out.writeUInt32LE(init.minor, offset + 4);
  out.writeUInt32LE(init.maxReadahead, offset + 8);
  out.writeInt32LE(init.flags, offset + 12);
  out.writeUInt16LE(init.maxBackground, offset + 16);
  out.writeUInt16LE(init.congestionThreshold, offset + 18);
  out.writeUInt32LE(init.maxWrite, offset + 20);
  out.writeUInt32LE(1, offset + 24); // time_gran: times are kept to the nanosecond
  out.writeUInt16LE(init.maxPages, offset + 28);
  out.writeInt32LE(init.flags2, offset + 32);
  out.writeUInt32LE(init.maxStackDepth, offset + 36);
}
