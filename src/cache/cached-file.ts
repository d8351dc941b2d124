// One object version on disk, shared by all its uses.
import { constants } from "node:fs";
import { crc32 } from "node:zlib";
import { Errno, errnoOf } from "../posix/errno.ts";
import { BLOCK_SIZE } from "./block-cache.ts";
import { BlockAssembly } from "./block-assembly.ts";
import { BlockSet } from "./block-set.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import type { DiskIo } from "./disk-io.ts";
import { blockCount, blockLength, type ObjectId, type ObjectRecord } from "./object-record.ts";
import type { Room } from "./room.ts";
import type { WriteBudget } from "./write-budget.ts";

/** What a file shares with its cache. */
export interface CacheContext {
  readonly io: DiskIo;
  readonly room: Room;
  readonly budget: WriteBudget;
  /** Resolves once what was at the path of `id` before is out of the way. */
  readable(id: ObjectId): Promise<void>;
  /** Moreover once it is known what is cached, and the directory is there. */
  writable(id: ObjectId): Promise<void>;
  /** False while the disk is to be left alone. */
  mayWrite(): boolean;
  /** Presence or checksums changed. */
  changed(file: CachedFile): void;
  /** Counts bytes of a file that is still in the catalogue. */
  entry(id: ObjectId): CatalogueEntry;
  grow(entry: CatalogueEntry, bytes: number): void;
  /** Work that close() waits for; it does not reject. */
  track(work: Promise<void>): void;
  /** The disk failed; writing is pointless for a while. */
  failed(error: unknown): void;
  /** The disk took a write. */
  worked(): void;
  /** The file is not there, or not whole. */
  lost(file: CachedFile, reason: string): void;
  /** A block on disk is not what was written. */
  damaged(file: CachedFile, block: number, bytes: number): void;
  /** Nothing is under way any more, and nobody uses it. */
  settled(file: CachedFile): void;
}

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
  private readonly assemblies = new Map<number, BlockAssembly>();
  private busy = 0;
  private readFd: number | undefined;
  private opening: Promise<number | undefined> | undefined;
  private writeFd: Promise<number> | undefined;

  constructor(
    context: CacheContext,
    identity: { readonly id: ObjectId; readonly path: string; readonly size: number },
    record: ObjectRecord | undefined,
  ) {
    this.context = context;
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
  async read(start: number, end: number): Promise<Uint8Array[] | undefined> {
    if (!this.has(start, end)) return undefined;
    const fd = this.readFd ?? (await this.openForReading());
    if (fd === undefined) return undefined;
    const first = Math.floor(start / BLOCK_SIZE);
    const last = Math.floor((end - 1) / BLOCK_SIZE);
    const isVerified = this.verified.hasAll(first, last);
    const from = isVerified ? start : first * BLOCK_SIZE;
    const to = isVerified ? end : Math.min((last + 1) * BLOCK_SIZE, this.size);
    const bytes = await this.readBytes(fd, from, to);
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
      const bytes = await this.readBytes(fd, start, start + blockLength(this.size, block));
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
        : this.writeBlock(block, length, within, part);
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
    const { readFd, writeFd } = this;
    this.readFd = undefined;
    this.writeFd = undefined;
    if (readFd !== undefined) this.close(readFd);
    void writeFd?.then(
      (fd) => this.close(fd),
      () => undefined,
    );
  }

  private close(fd: number): void {
    // a descriptor of a cache file has nothing to lose
    this.context.io.close(fd).catch(() => undefined);
  }

  private settle(): void {
    for (const assembly of this.assemblies.values()) {
      if (assembly.isReserved) this.context.room.release(assembly.length);
    }
    this.assemblies.clear();
    const { writeFd } = this;
    this.writeFd = undefined;
    void writeFd?.then(
      (fd) => this.close(fd),
      () => undefined,
    );
    this.context.settled(this);
  }

  private async readBytes(fd: number, start: number, end: number): Promise<Buffer | undefined> {
    const buffer = Buffer.allocUnsafe(end - start);
    try {
      if ((await this.context.io.read(fd, buffer, start)) === buffer.length) return buffer;
      this.context.lost(this, "its file is too short");
    } catch (error) {
      this.context.failed(error);
    }
    return undefined;
  }

  private verify(bytes: Buffer, first: number, last: number): boolean {
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

  /** The work that will have written `data`; undefined when it is dropped. */
  private writeBlock(
    block: number,
    length: number,
    within: number,
    data: Uint8Array,
  ): Promise<void> | undefined {
    let assembly = this.assemblies.get(block);
    if (assembly === undefined && within > 0) return undefined;
    assembly ??= new BlockAssembly(length);
    const next = assembly.next(within, data);
    if (next === undefined || !this.context.budget.take(next.length)) return undefined;
    this.assemblies.set(block, assembly);
    assembly.push(next);
    if (assembly.writing === undefined) {
      const taking = assembly;
      taking.writing = this.during(async () => this.fill(block, taking));
      this.context.track(taking.writing);
    }
    return assembly.writing;
  }

  /** Writes what an assembly has until it has no more; never rejects. */
  private async fill(block: number, assembly: BlockAssembly): Promise<void> {
    const { room, budget, io } = this.context;
    let inFlight = 0;
    try {
      await this.context.writable(this.id);
      assembly.isReserved ||= await room.reserve(assembly.length, this.id);
      if (!assembly.isReserved || this.isGone) throw new Dropped();
      this.wasWritten = true;
      this.writeFd ??= io.open(this.path, constants.O_RDWR | constants.O_CREAT);
      const fd = await this.writeFd;
      while (assembly.hasMore) {
        const { chunks, offset, bytes } = assembly.take();
        inFlight = bytes;
        await io.write(fd, chunks, block * BLOCK_SIZE + offset);
        budget.give(bytes);
        inFlight = 0;
      }
      this.context.worked();
      if (assembly.isComplete) this.finish(block, assembly);
    } catch (error) {
      budget.give(inFlight + assembly.take().bytes);
      if (this.assemblies.get(block) === assembly) this.assemblies.delete(block);
      if (assembly.isReserved) room.release(assembly.length);
      if (!(error instanceof Dropped)) {
        this.writeFd = undefined;
        this.context.failed(error);
      }
    } finally {
      assembly.writing = undefined;
    }
  }

  private finish(block: number, assembly: BlockAssembly): void {
    this.assemblies.delete(block);
    this.context.room.release(assembly.length);
    if (this.isGone || this.present.has(block)) return;
    this.checksums[block] = assembly.crc;
    this.present.add(block);
    this.verified.add(block);
    const entry = this.context.entry(this.id);
    this.context.grow(entry, assembly.length);
    entry.isVerified = this.isTrusted;
    this.context.changed(this);
    // whoever opens it next can have it as the backing file
    if (this.isTrusted) void this.openForReading();
  }
}

/** There is no room, or nobody wants it any more. */
class Dropped extends Error {}
