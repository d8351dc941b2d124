// Attributes as the arrays of 32-bit words that fuse-native hands to libfuse.
import type { Nanoseconds, Stat, StatFs } from "../../posix/stat.ts";

const TWO_POW_32 = 2 ** 32;
// what cp and stdio use as their buffer size; larger requests do not come
const BLOCK_SIZE = 128 * 1024;

/** struct stat; inode numbers keep 32 bits, times milliseconds, and those before 1970 become 1970. */
export function statWords(stat: Stat): Uint32Array {
  const words = new Uint32Array(18);
  words[0] = stat.mode;
  words[1] = stat.uid;
  words[2] = stat.gid;
  setDouble(words, 3, stat.size);
  words[6] = stat.nlink;
  words[7] = stat.ino % TWO_POW_32;
  words[8] = stat.rdev;
  words[9] = BLOCK_SIZE;
  setDouble(words, 10, Math.ceil(stat.size / 512));
  setDouble(words, 12, milliseconds(stat.atime));
  setDouble(words, 14, milliseconds(stat.mtime));
  setDouble(words, 16, milliseconds(stat.ctime));
  return words;
}

/** struct statvfs; blocks are made larger until their number fits into 32 bits. */
export function statfsWords(statfs: StatFs): Uint32Array {
  let scale = 1;
  while (statfs.blocks / scale >= TWO_POW_32) scale *= 2;
  const blocks = (count: number): number => Math.floor(count / scale);
  const files = (count: number): number => Math.min(count, TWO_POW_32 - 1);
  const words = new Uint32Array(11);
  words[0] = statfs.bsize * scale;
  words[1] = statfs.bsize * scale;
  words[2] = blocks(statfs.blocks);
  words[3] = blocks(statfs.bfree);
  words[4] = blocks(statfs.bavail);
  words[5] = files(statfs.files);
  words[6] = files(statfs.ffree);
  words[7] = files(statfs.ffree);
  words[10] = statfs.namelen;
  return words;
}

/** A number above 2^32 as fuse-native splits it. */
export function joinDouble(low: number, high: number): number {
  return high * TWO_POW_32 + low;
}

function setDouble(words: Uint32Array, at: number, value: number): void {
  words[at] = value % TWO_POW_32;
  words[at + 1] = Math.floor(value / TWO_POW_32);
}

function milliseconds(time: Nanoseconds): number {
  return time < 0n ? 0 : Number(time / 1_000_000n);
}
