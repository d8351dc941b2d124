import { expect, test } from "vitest";
import { statfsWords, statWords } from "../../../../src/fuse/native/stat-words.ts";

const stat = {
  ino: 2 ** 32 + 5,
  generation: 0,
  mode: 0o100644,
  nlink: 0,
  uid: 1,
  gid: 2,
  rdev: 3,
  size: 2 ** 33 + 7,
  atime: -1n,
  mtime: 1_500_000_000_123_456_789n,
  ctime: 0n,
};

test("attributes are split into words of 32 bits", () => {
  const words = [...statWords(stat)];
  const blocks = Math.ceil((2 ** 33 + 7) / 512);
  expect(words.slice(0, 12)).toEqual([0o100644, 1, 2, 7, 2, 0, 0, 5, 3, 131_072, blocks, 0]);
  expect(words.slice(12, 14)).toEqual([0, 0]);
  expect((words[15] ?? 0) * 2 ** 32 + (words[14] ?? 0)).toBe(1_500_000_000_123);
});

test("a file system of more than 2^32 blocks has larger blocks", () => {
  const numbers = { bfree: 2 ** 39, bavail: 2 ** 38, files: 2 ** 40, ffree: 1, namelen: 255 };
  const words = statfsWords({ bsize: 4096, blocks: 2 ** 40, ...numbers });
  expect(Array.from(words.subarray(0, 7))).toEqual([
    4096 * 512,
    4096 * 512,
    2 ** 31,
    2 ** 30,
    2 ** 29,
    2 ** 32 - 1,
    1,
  ]);
  expect(words[10]).toBe(255);
});
