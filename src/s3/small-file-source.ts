// A file of little size as an UploadSource: one read serves its digests and every attempt.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { FsError } from "../posix/errno.ts";
import { poison } from "../posix/given-back.ts";
import type { UploadSource } from "./object-store.ts";

/** Bytes of the largest file that is held in memory: 0.2 ms of MD5, about what asking a worker costs. */
export const SMALL_FILE_BYTES = 128 * 1024;

/** Buffers kept for the next uploads: 4 MiB. */
const MOST_KEPT = 32;
/** New memory for each upload makes the garbage collector run over the whole heap every 64 MB. */
const kept: Buffer[] = [];

/** Fills `buffer` from the start of the file; resolves to the bytes read, fewer only at its end. */
export type FillBuffer = (buffer: Buffer) => Promise<number>;

/** The first `size` bytes, SMALL_FILE_BYTES at most, of the file that `fill` reads. Rejects as fileUploadSource() does. */
export function smallFileSource(size: number, fill: FillBuffer): UploadSource {
  const memory = kept.pop() ?? Buffer.allocUnsafeSlow(SMALL_FILE_BYTES);
  const bytes = memory.subarray(0, size);
  let filling: Promise<void> | undefined;
  let isFilled = false;
  const filled = async (): Promise<void> => {
    filling ??= fillWhole(bytes, fill);
    await filling;
    isFilled = true;
  };
  return {
    size,
    async *read({ start, end }) {
      await filled();
      if (end > start) yield bytes.subarray(start, end);
    },
    async md5({ start, end }) {
      await filled();
      return createHash("md5").update(bytes.subarray(start, end)).digest();
    },
    crc32: () => (isFilled ? crc32(bytes) : undefined),
    release() {
      poison(memory);
      if (kept.length < MOST_KEPT) kept.push(memory);
    },
  };
}

async function fillWhole(bytes: Buffer, fill: FillBuffer): Promise<void> {
  const length = await fill(bytes);
  if (length < bytes.length)
    throw new FsError("EIO", `Cannot upload: file ends at ${length} bytes`);
}
