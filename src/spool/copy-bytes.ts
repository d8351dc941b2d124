// The bytes of one staged file into another: shared blocks where the disk can, else only the data between the holes.
import type { FileHandle } from "node:fs/promises";
import { Errno, errnoOf } from "../posix/errno.ts";
import { SEEK_DATA, SEEK_HOLE, type SystemCalls } from "../posix/syscalls.ts";

const BUFFER_BYTES = 1024 * 1024;

/** Shares all blocks of `from` with the empty file `to`; false where the disk or the platform cannot. */
export async function reflink(
  from: FileHandle,
  to: FileHandle,
  system: SystemCalls | undefined,
): Promise<boolean> {
  if (system === undefined) return false;
  try {
    await system.reflink(to.fd, from.fd);
    return true;
  } catch {
    // EOPNOTSUPP, EXDEV, EINVAL, ENOTTY: the copy below says what is really wrong, if anything
    return false;
  }
}

/** Copies the first `size` bytes; holes stay holes where lseek(2) is to be had. */
export async function copyBytes(
  from: FileHandle,
  to: FileHandle,
  size: number,
  system: SystemCalls | undefined,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(BUFFER_BYTES, Math.max(size, 1)));
  for (let start = 0; start < size;) {
    const data = await nextData(from.fd, start, size, system);
    await copyRange(from, to, data, buffer);
    start = data.end;
  }
  await to.truncate(size);
}

async function nextData(
  fd: number,
  start: number,
  size: number,
  system: SystemCalls | undefined,
): Promise<{ start: number; end: number }> {
  if (system === undefined) return { start, end: size };
  try {
    const data = await system.lseek(fd, start, SEEK_DATA);
    const hole = await system.lseek(fd, data, SEEK_HOLE);
    return { start: Math.min(data, size), end: Math.min(hole, size) };
  } catch (error) {
    // only a hole is left
    if (errnoOf(error) === Errno.ENXIO) return { start: size, end: size };
    return { start, end: size };
  }
}

async function copyRange(
  from: FileHandle,
  to: FileHandle,
  range: { start: number; end: number },
  buffer: Buffer,
): Promise<void> {
  for (let at = range.start; at < range.end;) {
    const length = Math.min(buffer.length, range.end - at);
    const { bytesRead } = await from.read(buffer, 0, length, at);
    // truncated meanwhile; the rest is a hole
    if (bytesRead === 0) return;
    for (let done = 0; done < bytesRead;) {
      const { bytesWritten } = await to.write(buffer, done, bytesRead - done, at + done);
      done += bytesWritten;
    }
    at += bytesRead;
  }
}
