// Brings the blocks of one cached file to the disk.
import { constants } from "node:fs";
import { BlockAssembly } from "./block-assembly.ts";
import { BLOCK_SIZE } from "./block-cache.ts";
import type { CacheContext } from "./cache-context.ts";
import type { CachedFile } from "./cached-file.ts";

/** A block becomes present once all its bytes are written. */
export class BlockFiller {
  private readonly file: CachedFile;
  private readonly context: CacheContext;
  private readonly assemblies = new Map<number, BlockAssembly>();
  private fd: Promise<number> | undefined;

  constructor(file: CachedFile, context: CacheContext) {
    this.file = file;
    this.context = context;
  }

  /** Lets go of blocks that nobody completes, and of the descriptor; only while nothing is written. */
  stop(): void {
    for (const assembly of this.assemblies.values()) {
      if (assembly.isReserved) this.context.room.release(assembly.length);
    }
    this.assemblies.clear();
    const { fd } = this;
    this.fd = undefined;
    // a descriptor of a cache file has nothing to lose
    if (fd !== undefined) {
      this.context.track(
        fd.then(async (open) => this.context.io.close(open)).catch(() => undefined),
      );
    }
  }

  /** The work that will have written `data`; undefined when it is dropped. */
  write(
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
      taking.writing = this.file.during(async () => this.fill(block, taking));
      this.context.track(taking.writing);
    }
    return assembly.writing;
  }

  /** Writes what an assembly has until it has no more; never rejects. */
  private async fill(block: number, assembly: BlockAssembly): Promise<void> {
    const { room, budget, io } = this.context;
    let inFlight = 0;
    try {
      await this.context.writable(this.file.id);
      assembly.isReserved ||= await room.reserve(assembly.length, this.file.id);
      if (!assembly.isReserved || this.file.isGone) throw new Dropped();
      this.file.wasWritten = true;
      this.fd ??= io.open(this.file.path, constants.O_RDWR | constants.O_CREAT);
      const fd = await this.fd;
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
        this.fd = undefined;
        this.context.failed(error);
      }
    } finally {
      assembly.writing = undefined;
    }
  }

  private finish(block: number, assembly: BlockAssembly): void {
    this.assemblies.delete(block);
    this.context.room.release(assembly.length);
    if (this.file.isGone || this.file.present.has(block)) return;
    this.file.checksums[block] = assembly.crc;
    this.file.present.add(block);
    this.file.verified.add(block);
    const entry = this.context.entry(this.file.id);
    this.context.grow(entry, assembly.length);
    entry.isVerified = this.file.isTrusted;
    this.context.changed(this.file);
    // whoever opens it next can have it as the backing file
    if (this.file.isTrusted) void this.file.openForReading();
  }
}

/** There is no room, or nobody wants it any more. */
class Dropped extends Error {}
