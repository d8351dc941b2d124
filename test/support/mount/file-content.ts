import * as fs from "node:fs";
import { join } from "node:path";
import { FsError } from "../../../src/posix/errno.ts";
import { nowNs, type Nanoseconds } from "../../../src/posix/stat.ts";

/** The bytes of one file. */
export interface FileContent {
  size(): number;
  read(offset: number, length: number): Uint8Array[];
  write(offset: number, data: Uint8Array): void;
  truncate(size: number): void;
  /** Zeroes a range; the size stays. */
  zero(offset: number, length: number): void;
  /** SEEK_DATA 3, SEEK_HOLE 4. */
  seek(offset: number, whence: number): number;
  backing(): number | undefined;
  /** When bytes were last seen to change behind our back. */
  writtenAt(): Nanoseconds | undefined;
  forgetWrittenAt(): void;
  close(): void;
}

const MAX_SIZE = 2 ** 31;

function checkSize(size: number): void {
  if (size > MAX_SIZE) throw new FsError("EFBIG", "Cannot hold a file of more than 2 GiB");
}

// all data, and one hole behind the end: what SEEK_HOLE allows where holes are not kept
function seekPlain(size: number, offset: number, whence: number): number {
  if (offset >= size) throw new FsError("ENXIO", "Cannot seek behind the end");
  return whence === 3 ? offset : size;
}

/** Bytes in memory, in a buffer that doubles. */
export class MemoryContent implements FileContent {
  #bytes = Buffer.alloc(0);
  #size = 0;

  size(): number {
    return this.#size;
  }

  read(offset: number, length: number): Uint8Array[] {
    const end = Math.min(this.#size, offset + length);
    // copied: a later write must not change a reply on its way
    return offset >= end ? [] : [Buffer.from(this.#bytes.subarray(offset, end))];
  }

  write(offset: number, data: Uint8Array): void {
    this.#reserve(offset + data.length);
    this.#bytes.set(data, offset);
    this.#size = Math.max(this.#size, offset + data.length);
  }

  truncate(size: number): void {
    this.#reserve(size);
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  zero(offset: number, length: number): void {
    this.#bytes.fill(0, Math.min(offset, this.#size), Math.min(offset + length, this.#size));
  }

  seek(offset: number, whence: number): number {
    return seekPlain(this.#size, offset, whence);
  }

  backing(): undefined {
    return undefined;
  }

  writtenAt(): undefined {
    return undefined;
  }

  forgetWrittenAt(): void {}

  close(): void {
    this.#bytes = Buffer.alloc(0);
  }

  #reserve(size: number): void {
    checkSize(size);
    if (size <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

let lastFile = 0;

/** Bytes in a file of `directory`, so that the kernel may use it by itself. */
export class BackedContent implements FileContent {
  readonly #fd: number;
  #seen: bigint;
  #writtenAt: Nanoseconds | undefined;

  constructor(directory: string) {
    const path = join(directory, `${process.pid}-${++lastFile}`);
    this.#fd = fs.openSync(path, "wx+");
    fs.unlinkSync(path);
    this.#seen = this.#mtime();
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  read(offset: number, length: number): Uint8Array[] {
    const bytes = Buffer.allocUnsafe(length);
    return [bytes.subarray(0, fs.readSync(this.#fd, bytes, 0, length, offset))];
  }

  write(offset: number, data: Uint8Array): void {
    checkSize(offset + data.length);
    fs.writeSync(this.#fd, data, 0, data.length, offset);
    this.#seen = this.#mtime();
  }

  truncate(size: number): void {
    checkSize(size);
    fs.ftruncateSync(this.#fd, size);
    this.#seen = this.#mtime();
  }

  zero(offset: number, length: number): void {
    const end = Math.min(this.size(), offset + length);
    if (end > offset) this.write(offset, Buffer.alloc(end - offset));
  }

  seek(offset: number, whence: number): number {
    return seekPlain(this.size(), offset, whence);
  }

  backing(): number {
    return this.#fd;
  }

  writtenAt(): Nanoseconds | undefined {
    const mtime = this.#mtime();
    if (mtime !== this.#seen) {
      this.#seen = mtime;
      this.#writtenAt = nowNs();
    }
    return this.#writtenAt;
  }

  forgetWrittenAt(): void {
    this.#seen = this.#mtime();
    this.#writtenAt = undefined;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #mtime(): bigint {
    return fs.fstatSync(this.#fd, { bigint: true }).mtimeNs;
  }
}
