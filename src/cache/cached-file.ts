// One object version on disk, shared by all its uses.
import { constants } from "node:fs";
import { crc32 } from "node:zlib";
import { Errno, errnoOf } from "../posix/errno.ts";
import { BLOCK_SIZE, type TakeMemory } from "./block-cache.ts";
import { BlockFiller } from "./block-filler.ts";
import { BlockSet } from "./block-set.ts";
import type { CacheContext } from "./cache-context.ts";
import { blockCount, blockLength, type ObjectId, type ObjectRecord } from "./object-record.ts";

const ownMemory: TakeMemory = (bytes) => Buffer.allocUnsafe(bytes);

/**
 * Invariants: a block is in `present` only after its bytes were written; only then is it recorded. `isGone` is for ever:
 * the name was unlinked, what is open stays readable, nothing is recorded any more. Uses and work under way (`busy`)
 * keep the descriptors open.
 */
export class CachedFile {
  readonly id: ObjectId;
  readonly path: string;
  readonly size: number;
  readonly present: BlockSet;
  readonly checksums: Uint32Array;
  /** Read and found right, or written, in this run. */
  readonly verified: BlockSet;
  lastUsed: number;
  uses = 0;
  isGone = false;
  isVerifying = false;
  /** Whether there may be a file at `path` on account of this object. */
  wasWritten: boolean;
  /** False while the checksums of a file that was taken over are not known yet. */
  isRecordable = true;
  private readonly context: CacheContext;
  private readonly filler: BlockFiller;
  private busy = 0;
  private readFd: number | undefined;
  private opening: Promise<number | undefined> | undefined;

  constructor(
    context: CacheContext,
    identity: { readonly id: ObjectId; readonly path: string; readonly size: number },
    record: ObjectRecord | undefined,
  ) {
    this.context = context;
    this.filler = new BlockFiller(this, context);
    this.id = identity.id;
    this.path = identity.path;
    this.size = identity.size;
    const count = blockCount(identity.size);
    this.present = record?.present ?? new BlockSet(count);
    this.checksums = record?.checksums ?? new Uint32Array(count);
    this.verified = new BlockSet(count);
    this.lastUsed = record?.lastUsed ?? 0;
    this.wasWritten = record !== undefined;
  }

  get isIdle(): boolean {
    return this.uses === 0 && this.busy === 0;
  }

  get isComplete(): boolean {
    return this.present.isFull;
  }

  get isTrusted(): boolean {
    return this.present.isFull && this.verified.isFull;
  }

  has(start: number, end: number): boolean {
    if (start >= end) return true;
    return this.present.hasAll(Math.floor(start / BLOCK_SIZE), Math.floor((end - 1) / BLOCK_SIZE));
  }

  /** Open by now, and stable until nobody uses the file. */
  backing(): number | undefined {
    if (!this.isTrusted) return undefined;
    // for the next open, if not for this one
    if (this.readFd === undefined && !this.isGone) void this.openForReading();
    return this.readFd;
  }

  /** As CachedObject.read; the caller holds a use. */
  async read(
    start: number,
    end: number,
    take: TakeMemory = ownMemory,
  ): Promise<Uint8Array[] | undefined> {
    if (!this.has(start, end)) return undefined;
    const fd = this.readFd ?? (await this.openForReading());
    if (fd === undefined) return undefined;
    const first = Math.floor(start / BLOCK_SIZE);
    const last = Math.floor((end - 1) / BLOCK_SIZE);
    const isVerified = this.verified.hasAll(first, last);
    const from = isVerified ? start : first * BLOCK_SIZE;
    const to = isVerified ? end : Math.min((last + 1) * BLOCK_SIZE, this.size);
    const bytes = await this.readBytes(fd, from, to, take);
    if (bytes === undefined) return undefined;
    if (!isVerified && !this.verify(bytes, first, last)) return undefined;
    return [bytes.subarray(start - from, end - from)];
  }

  /** Reads and verifies what was not yet, a block at a time; resolves to whether all of it is right. */
  async verifyAll(): Promise<boolean> {
    for (let block = 0; block < this.present.length; block++) {
      if (this.isGone || !this.present.has(block)) return false;
      if (this.verified.has(block)) continue;
      const start = block * BLOCK_SIZE;
      if ((await this.read(start, start + blockLength(this.size, block))) === undefined)
        return false;
    }
    return true;
  }

  /** Computes the checksums of a file that was taken over whole; resolves to whether it could be read. */
  async checksumAll(): Promise<boolean> {
    const fd = await this.openForReading();
    if (fd === undefined) return false;
    for (let block = 0; block < this.present.length && !this.isGone; block++) {
      const start = block * BLOCK_SIZE;
      const end = start + blockLength(this.size, block);
      const bytes = await this.readBytes(fd, start, end, ownMemory);
      if (bytes === undefined) return false;
      this.checksums[block] = crc32(bytes);
    }
    return !this.isGone;
  }

  /** Keeps the file open while `work` goes on; `work` does not reject. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await work();
    } finally {
      this.busy--;
      if (this.isIdle) this.settle();
    }
  }

  release(): void {
    this.uses--;
    if (this.isIdle) this.settle();
  }

  /** As CachedObject.write. */
  write(offset: number, data: Uint8Array): Promise<void> | undefined {
    if (!this.context.mayWrite()) return undefined;
    const writing: Promise<void>[] = [];
    let at = offset;
    let rest = data;
    while (rest.length > 0 && at < this.size && !this.isGone) {
      const block = Math.floor(at / BLOCK_SIZE);
      const within = at % BLOCK_SIZE;
      const length = blockLength(this.size, block);
      const part = rest.subarray(0, length - within);
      const work = this.present.has(block)
        ? undefined
        : this.filler.write(block, length, within, part);
      if (work !== undefined) writing.push(work);
      at += part.length;
      rest = rest.subarray(part.length);
    }
    if (writing.length <= 1) return writing[0];
    return Promise.all(writing).then(() => undefined);
  }

  /** Forgets a present block; the caller takes its bytes out of the catalogue. */
  forget(block: number): void {
    this.present.delete(block);
    this.verified.delete(block);
  }

  /** Runs `work` with a descriptor for writing that is closed afterwards. */
  async withWriteFd<T>(work: (fd: number) => Promise<T>): Promise<T> {
    const fd = await this.context.io.open(this.path, constants.O_RDWR);
    try {
      return await work(fd);
    } finally {
      await this.context.io.close(fd).catch(() => undefined);
    }
  }

  /** Opened by now or by then; undefined when that failed. */
  async openForReading(): Promise<number | undefined> {
    if (this.readFd !== undefined) return this.readFd;
    this.opening ??= this.during(async () => {
      try {
        if (this.isGone) return undefined;
        await this.context.readable(this.id);
        return (this.readFd = await this.context.io.open(this.path, constants.O_RDONLY));
      } catch (error) {
        if (errnoOf(error) === Errno.ENOENT) this.context.lost(this, "its file is missing");
        else this.context.failed(error);
        return undefined;
      } finally {
        this.opening = undefined;
      }
    });
    return this.opening;
  }

  /** Only while idle. */
  closeFds(): void {
    const { readFd } = this;
    this.readFd = undefined;
    // a descriptor of a cache file has nothing to lose
    if (readFd !== undefined)
      this.context.track(this.context.io.close(readFd).catch(() => undefined));
    this.filler.stop();
  }

  private settle(): void {
    this.filler.stop();
    this.context.settled(this);
  }

  private async readBytes(
    fd: number,
    start: number,
    end: number,
    take: TakeMemory,
  ): Promise<Uint8Array | undefined> {
    const buffer = take(end - start).subarray(0, end - start);
    try {
      if ((await this.context.io.read(fd, buffer, start)) === buffer.length) return buffer;
      this.context.lost(this, "its file is too short");
    } catch (error) {
      this.context.failed(error);
    }
    return undefined;
  }

  private verify(bytes: Uint8Array, first: number, last: number): boolean {
    for (let block = first; block <= last; block++) {
      if (this.verified.has(block)) continue;
      const start = (block - first) * BLOCK_SIZE;
      const part = bytes.subarray(start, start + blockLength(this.size, block));
      if (crc32(part) !== this.checksums[block]) {
        this.context.damaged(this, block, part.length);
        return false;
      }
      this.verified.add(block);
    }
    if (this.isTrusted && !this.isGone) this.context.entry(this.id).isVerified = true;
    return true;
  }
}
