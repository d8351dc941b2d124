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
  /** Past the page cache. */
  private directFd: Promise<number | undefined> | undefined;

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
    this.close(this.fd);
    this.fd = undefined;
    this.close(this.directFd);
    this.directFd = undefined;
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
    const { room, budget } = this.context;
    let inFlight = 0;
    try {
      await this.context.writable(this.file.id);
      assembly.isReserved ||= await room.reserve(assembly.length, this.file.id);
      if (!assembly.isReserved || this.file.isGone) throw new Dropped();
      this.file.wasWritten = true;
      this.fd ??= this.context.io.open(this.file.path, constants.O_RDWR | constants.O_CREAT);
      const fd = await this.fd;
      while (assembly.hasMore) {
        const { chunks, offset, bytes } = assembly.take();
        inFlight = bytes;
        await this.put(fd, block, offset, chunks);
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
        this.directFd = undefined;
        this.context.failed(error);
      }
    } finally {
      assembly.writing = undefined;
    }
  }

  private async put(
    fd: number,
    block: number,
    offset: number,
    chunks: readonly Uint8Array[],
  ): Promise<void> {
    const { io, direct, budget } = this.context;
    const position = block * BLOCK_SIZE + offset;
    if (budget.isRelaxed && direct.suits(this.file.size, offset, chunks)) {
      const directFd = await (this.directFd ??= direct.open(this.file.path));
      if (directFd !== undefined && (await direct.write(directFd, chunks, position))) return;
    }
    await io.write(fd, chunks, position);
  }

  private close(fd: Promise<number | undefined> | undefined): void {
    if (fd === undefined) return;
    const closing = fd.then(async (open) => {
      if (open !== undefined) await this.context.io.close(open);
    });
    // a descriptor of a cache file has nothing to lose
    this.context.track(closing.catch(() => undefined));
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
