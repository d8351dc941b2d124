// fuse-native hands utimensat's atime to its handler twice. Both times stand in the memory of libfuse's thread, which the
// handler below it gets: they are read from there.
import type { FuseObject } from "./fuse-native.ts";

/** fuse-native.c: op_utimens, and where fuse_thread_locals_t has `atime` and after it `mtime`, in milliseconds. */
const OP_UTIMENS = 12;
const ATIME_AT = 104;

const NS_PER_MS = 1_000_000n;

/** Makes the handler of utimens get (path, atime, mtime) in nanoseconds. */
export function repairTimes(fuse: FuseObject): void {
  const ask = fuse._handlers[OP_UTIMENS];
  const answer = fuse["_op_utimens"];
  if (ask === undefined || answer === undefined) throw new Error("fuse-native has no utimens");
  let locals: Buffer | undefined;
  fuse._handlers[OP_UTIMENS] = (memory, opcode, ...args) => {
    locals = memory;
    return ask(memory, opcode, ...args);
  };
  fuse["_op_utimens"] = (signal, path, low, high) => {
    const { atime, mtime } = timesOf(locals, Number(low), Number(high));
    answer(signal, path, atime, mtime);
  };
}

/** Both times in ns; where the memory is not as expected, the access time twice, as the package would have it. */
export function timesOf(
  locals: Buffer | undefined,
  low: number,
  high: number,
): { readonly atime: bigint; readonly mtime: bigint } {
  const told = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  const isAsExpected =
    locals !== undefined &&
    locals.length >= ATIME_AT + 16 &&
    locals.readBigInt64LE(ATIME_AT) === told;
  const mtime = isAsExpected ? locals.readBigInt64LE(ATIME_AT + 8) : told;
  return { atime: told * NS_PER_MS, mtime: mtime * NS_PER_MS };
}
