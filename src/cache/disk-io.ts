// The file calls of the cache on bare descriptors, which a kernel may hold on to longer than a FileHandle lives.
import * as fs from "node:fs";
import { mkdir, readdir, rename, stat, statfs, unlink } from "node:fs/promises";

/** Rejects with the system's error; nothing here blocks the caller. Tests put failures in its place. */
export interface DiskIo {
  open(path: string, flags: number): Promise<number>;
  close(fd: number): Promise<void>;
  /** Fills `buffer` from `position` on; resolves to the bytes read, fewer only at the end of the file. */
  read(fd: number, buffer: Uint8Array, position: number): Promise<number>;
  /** Writes all of `buffers` one after the other. */
  write(fd: number, buffers: readonly Uint8Array[], position: number): Promise<void>;
  unlink(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  size(path: string): Promise<number>;
  /** Bytes that an unprivileged writer may still use on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

/** The real disk. */
export const nodeDiskIo: DiskIo = {
  open: async (path, flags) => settle<number>((done) => fs.open(path, flags, 0o600, done)),
  close: async (fd) => settle<undefined>((done) => fs.close(fd, (error) => done(error, undefined))),
  read: readFully,
  write: writeFully,
  unlink,
  rename,
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: async (path) => readdir(path),
  size: async (path) => (await stat(path)).size,
  freeBytes: async (path) => {
    const disk = await statfs(path);
    return disk.bavail * disk.bsize;
  },
};

async function settle<T>(
  call: (done: (error: Error | null | undefined, value: T) => void) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    call((error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
}

async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const length = buffer.length - done;
    const count = await settle<number>((callback) =>
      fs.read(fd, buffer, done, length, position + done, callback),
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

async function writeFully(
  fd: number,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = [...buffers];
  let at = position;
  while (rest.length > 0) {
    const now = rest;
    const offset = at;
    let count = await settle<number>((callback) => fs.writev(fd, now, offset, callback));
    at += count;
    rest = [];
    for (const buffer of now) {
      if (count >= buffer.length) count -= buffer.length;
      else {
        rest.push(buffer.subarray(count));
        count = 0;
      }
    }
  }
}
