// Blocks of large objects go past the page cache: the mount's own file is cached by the kernel already, and pages for a
// second copy cost more time than the write.
import { constants } from "node:fs";
import { Errno, errnoOf } from "../posix/errno.ts";
import { PAGE_BYTES } from "../posix/page-aligned.ts";
import { BLOCK_SIZE } from "./block-cache.ts";
import type { DiskIo } from "./disk-io.ts";

/** Smaller objects are likely to be opened again soon, and then read from the page cache. */
const LARGE_BYTES = 32 * 1024 * 1024;

/** O_DIRECT as far as the file system of a cache can do it. */
export class DirectWrites {
  private readonly io: DiskIo;
  private readonly addressOf: ((memory: Uint8Array) => bigint) | undefined;
  private isRefused = false;

  /** Without `addressOf` nobody knows what memory may be written from, and all is buffered. */
  constructor(io: DiskIo, addressOf: ((memory: Uint8Array) => bigint) | undefined) {
    this.io = io;
    this.addressOf = addressOf;
  }

  /** Whether `chunks`, which lie at `offset` of a block, may go past the page cache. */
  suits(fileSize: number, offset: number, chunks: readonly Uint8Array[]): boolean {
    const [chunk] = chunks;
    if (this.addressOf === undefined || this.isRefused || fileSize < LARGE_BYTES) return false;
    if (offset !== 0 || chunks.length !== 1 || chunk?.length !== BLOCK_SIZE) return false;
    return this.addressOf(chunk) % BigInt(PAGE_BYTES) === 0n;
  }

  /** Opens a file for it; undefined where the disk cannot do it. */
  async open(path: string): Promise<number | undefined> {
    try {
      return await this.io.open(path, constants.O_WRONLY | constants.O_DIRECT);
    } catch (error) {
      return this.refuse(error);
    }
  }

  /** Resolves to whether the chunk was written; rejects with what would fail a buffered write too. */
  async write(fd: number, chunks: readonly Uint8Array[], position: number): Promise<boolean> {
    try {
      await this.io.write(fd, chunks, position);
      return true;
    } catch (error) {
      this.refuse(error);
      return false;
    }
  }

  /** Asks no more, if that was the reason. */
  private refuse(error: unknown): undefined {
    if (errnoOf(error) !== Errno.EINVAL && errnoOf(error) !== Errno.EOPNOTSUPP) throw error;
    this.isRefused = true;
  }
}
