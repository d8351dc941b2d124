import { expect, test } from "vitest";
import { DirentWriter } from "../../../../src/fuse/kernel/dirent-writer.ts";
import { encodeReply, type Reply, ReplySize } from "../../../../src/fuse/kernel/reply.ts";
import type { Entry } from "../../../../src/fs/file-system.ts";
import { Errno } from "../../../../src/posix/errno.ts";

const entry: Entry = {
  validMs: 1500,
  stat: {
    ino: 2 ** 40 + 5,
    generation: 3,
    mode: 0o100644,
    nlink: 1,
    uid: 1000,
    gid: 2000,
    rdev: 0,
    size: 1025,
    atime: -1_500_000_000n,
    mtime: 1_700_000_000_000_000_007n,
    ctime: 0n,
  },
};

/** `struct fuse_attr` of `entry`. */
const attr = [
  "0500000000010000", // ino
  "0104000000000000", // size
  "0300000000000000", // blocks of 512 bytes
  "feffffffffffffff", // atime -2 s
  "00f1536500000000", // mtime
  "0000000000000000", // ctime
  "0065cd1d", // atimensec 500,000,000
  "07000000", // mtimensec
  "00000000", // ctimensec
  "a4810000", // mode
  "01000000", // nlink
  "e8030000", // uid
  "d0070000", // gid
  "00000000", // rdev
  "00000200", // blksize 128 KiB
  "00000000", // flags
].join("");

/** `struct fuse_entry_out` of `entry` as nodeid 7. */
const entryOut = [
  "0700000000000000", // nodeid
  "0000000000000000", // generation
  "0100000000000000", // entry_valid
  "0100000000000000", // attr_valid
  "0065cd1d", // entry_valid_nsec
  "0065cd1d", // attr_valid_nsec
  attr,
].join("");

const open = { fh: 9, openFlags: 0x82, backingId: 4 };
const openOut = ["0900000000000000", "82000000", "04000000"].join(""); // fh, open_flags, backing_id

const rows: readonly (readonly [Reply, string])[] = [
  [{ kind: "none" }, ""],
  [{ kind: "done" }, ""],
  [{ kind: "error", errno: Errno.ENOENT }, ""],
  [{ kind: "entry", nodeid: 7, entry }, entryOut],
  [{ kind: "attr", entry }, ["0100000000000000", "0065cd1d", "00000000", attr].join("")],
  [{ kind: "open", open }, openOut],
  [{ kind: "create", nodeid: 7, entry, open }, entryOut + openOut],
  [{ kind: "size", size: 0xdeadbeef }, "efbeadde00000000"],
  [{ kind: "offset", offset: 2 ** 53 - 1 }, "ffffffffffff1f00"],
  [
    {
      kind: "statfs",
      statfs: { bsize: 4096, blocks: 1, bfree: 2, bavail: 3, files: 4, ffree: 5, namelen: 255 },
    },
    [
      "0100000000000000", // blocks
      "0200000000000000", // bfree
      "0300000000000000", // bavail
      "0400000000000000", // files
      "0500000000000000", // ffree
      "00100000", // bsize
      "ff000000", // namelen
      "00100000", // frsize
      "00".repeat(28), // padding, spare
    ].join(""),
  ],
  [
    {
      kind: "init",
      init: {
        major: 7,
        minor: 45,
        maxReadahead: 131072,
        flags: 1 << 30,
        flags2: 1 << 5,
        maxStackDepth: 1,
        maxBackground: 128,
        congestionThreshold: 96,
        maxWrite: 1 << 20,
        maxPages: 256,
      },
    },
    [
      "07000000", // major
      "2d000000", // minor
      "00000200", // max_readahead
      "00000040", // flags
      "8000", // max_background
      "6000", // congestion_threshold
      "00001000", // max_write
      "01000000", // time_gran
      "0001", // max_pages
      "0000", // map_alignment
      "20000000", // flags2
      "01000000", // max_stack_depth
      "00".repeat(24), // request_timeout, unused
    ].join(""),
  ],
];

test.each(rows)("a reply %o is encoded byte for byte", (reply, expected) => {
  const out = Buffer.alloc(256, 0xee);
  const size = encodeReply(reply, out, 16);
  expect(out.toString("hex", 16, 16 + size)).toBe(expected);
  // nothing outside its place
  expect(out.subarray(0, 16).equals(Buffer.alloc(16, 0xee))).toBe(true);
  expect(out.subarray(16 + size).equals(Buffer.alloc(240 - size, 0xee))).toBe(true);
});

test("the sizes of the structures are those of fuse.h", () => {
  expect(ReplySize).toEqual({
    entry: 128,
    attr: 104,
    open: 16,
    create: 144,
    write: 8,
    lseek: 8,
    statfs: 80,
    init: 64,
  });
});

test("DirentWriter pads names to 8 bytes and stops at its size", () => {
  const writer = new DirentWriter(64, false);
  expect(writer.add("abc", 5, 0o100644, 3)).toBe(true);
  expect(writer.add("sechzehn", 6, 0o040755, 4)).toBe(true);
  expect(writer.add("x", 7, 0o100644, 5)).toBe(false);
  expect(writer.bytes().toString("hex")).toBe(
    [
      "0500000000000000", // ino
      "0300000000000000", // off: where the next one starts
      "03000000", // namelen
      "08000000", // type: S_IFREG >> 12
      "6162630000000000", // name
      "0600000000000000",
      "0400000000000000",
      "08000000",
      "04000000",
      Buffer.from("sechzehn").toString("hex"),
    ].join(""),
  );
});

test("DirentWriter puts an entry before each record for READDIRPLUS, nodeid 0 for none", () => {
  const writer = new DirentWriter(1024, true);
  writer.add(".", 1, 0o040000, 1);
  writer.add("ä", 7, 0o100644, 3, { nodeid: 7, entry });
  const hex = writer.bytes().toString("hex");
  expect(hex.slice(0, 256)).toBe("00".repeat(128));
  expect(hex.slice(160 * 2, 288 * 2)).toBe(entryOut);
  expect(writer.bytes()).toHaveLength(320);
});
