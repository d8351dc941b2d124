// An open file as an UploadSource: read by position, so its own offset stays; digested off the main thread.
import { createHash } from "node:crypto";
import { read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { md5OfFile } from "./md5-worker.ts";
import type { ByteRange, UploadSource } from "./object-store.ts";
import { SMALL_FILE_BYTES, smallFileSource } from "./small-file-source.ts";

const read = promisify(readCallback);

// small enough to leave often, large enough for few system calls
const chunkBytes = 256 * 1024;

/**
 * Bytes [0, size) of an open file. The descriptor stays the caller's, who keeps it open until every promise and
 * iteration of the source has ended. Rejects with an FsError when the file cannot be read or has become shorter.
 */
export function fileUploadSource(fd: number, size: number): UploadSource {
  if (size <= SMALL_FILE_BYTES) return smallFileSource(size, (buffer) => readWhole(fd, buffer));
  return {
    size,
    read: (range) => readChunks(fd, range),
    md5: async (range) => md5OfFile(fd, range),
  };
}

async function readWhole(fd: number, buffer: Buffer): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await readAt(fd, buffer.subarray(filled), filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

async function* readChunks(fd: number, range: ByteRange): AsyncGenerator<Uint8Array> {
  // two in turn: memory that is new for each chunk makes the garbage collector run over the whole heap every 64 MB
  const buffers: Buffer[] = [];
  for (let at = range.start, turn = 0; at < range.end; turn = 1 - turn) {
    const wanted = Math.min(chunkBytes, range.end - at);
    const buffer = (buffers[turn] ??= Buffer.allocUnsafeSlow(wanted)).subarray(0, wanted);
    const { bytesRead } = await readAt(fd, buffer, at);
    if (bytesRead === 0) throw new FsError("EIO", `Cannot upload: file ends at ${at} bytes`);
    at += bytesRead;
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
  }
}

async function readAt(fd: number, buffer: Buffer, at: number): Promise<{ bytesRead: number }> {
  try {
    return await read(fd, buffer, 0, buffer.length, at);
  } catch (error) {
    throw toSystemFsError(error, "Cannot read a file to upload");
  }
}

/** Bytes in memory as an UploadSource; for small bodies and tests. */
export function bufferUploadSource(data: Uint8Array): UploadSource {
  return {
    size: data.length,
    async *read({ start, end }) {
      if (end > start) yield data.subarray(start, end);
    },
    md5: async ({ start, end }) => createHash("md5").update(data.subarray(start, end)).digest(),
  };
}
