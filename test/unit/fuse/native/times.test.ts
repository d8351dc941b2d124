import { expect, test } from "vitest";
import { timesOf } from "../../../../src/fuse/native/times.ts";

/** Memory of a thread as fuse-native lays it out on machines with 64 bits. */
function memoryWith(atime: bigint, mtime: bigint): Buffer {
  const memory = Buffer.alloc(400);
  memory.writeBigInt64LE(atime, 104);
  memory.writeBigInt64LE(mtime, 112);
  return memory;
}

/** The halves of a time as the handler gets them. */
function halves(time: bigint): [number, number] {
  const bits = BigInt.asUintN(64, time);
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}

test.each([
  [1_000_000_000_123n, 2_000_000_000_987n],
  [-1500n, -1n],
  [0n, 5_000_000_000_000n],
])("the second time is read from the thread's memory (%s, %s)", (atime, mtime) => {
  expect(timesOf(memoryWith(atime, mtime), ...halves(atime))).toEqual({
    atime: atime * 1_000_000n,
    mtime: mtime * 1_000_000n,
  });
});

test("memory that does not hold the first time is not believed", () => {
  const both = { atime: 7_000_000n, mtime: 7_000_000n };
  expect(timesOf(memoryWith(1n, 2n), ...halves(7n))).toEqual(both);
  expect(timesOf(Buffer.alloc(8), ...halves(7n))).toEqual(both);
  expect(timesOf(undefined, ...halves(7n))).toEqual(both);
});
