// Memory that starts at a page, which O_DIRECT asks for and Node never promises.
import type { SystemCalls } from "./syscalls.ts";

/** Bytes; every disk takes multiples of it (open(2), O_DIRECT). */
export const PAGE_BYTES = 4096;

/** Gives memory of so many bytes, with anything in it. */
export type AllocateMemory = (bytes: number) => Uint8Array;

/** Memory of its own that starts at a page. */
export function pageAllocator({ addressOf }: Pick<SystemCalls, "addressOf">): AllocateMemory {
  return (bytes) => {
    const memory = Buffer.allocUnsafeSlow(bytes + PAGE_BYTES - 1);
    const behind = Number(addressOf(memory) % BigInt(PAGE_BYTES));
    const start = behind === 0 ? 0 : PAGE_BYTES - behind;
    return memory.subarray(start, start + bytes);
  };
}
