// A cache directory that could be opened: its parts put together, and how objects come and go.
import { join } from "node:path";
import { log } from "../log.ts";
import { Adoption } from "./adoption.ts";
import { BackgroundWork } from "./background-work.ts";
import type { CachedObject, ObjectVersion } from "./block-cache.ts";
import type { CacheContext } from "./cache-context.ts";
import { CachedFile } from "./cached-file.ts";
import { CachedUse, type HitCounter } from "./cached-use.ts";
import type { DiskCacheOptions } from "./cache-options.ts";
import { DirectWrites } from "./direct-writes.ts";
import { DiskFailure } from "./disk-failure.ts";
import type { DiskIo } from "./disk-io.ts";
import { evictFile, type Evictor } from "./evict-file.ts";
import { FileRegistry } from "./file-registry.ts";
import { ObjectFiles } from "./object-files.ts";
import { objectId, type ObjectId } from "./object-record.ts";
import { RecordStore } from "./record-store.ts";
import { Room } from "./room.ts";
import { sweepLeftovers } from "./sweep.ts";
import { WriteBudget } from "./write-budget.ts";

const DEFAULT_WRITE_BUDGET_BYTES = 64 * 1024 * 1024;
const DEFAULT_IDLE_FILES = 512;
// larger ones are verified by being read
const VERIFY_AHEAD_BYTES = 64 * 1024 * 1024;

export interface CacheDirectoryOptions extends DiskCacheOptions {
  readonly io: DiskIo;
  readonly bootId: string;
  readonly retryMs: number;
  readonly counter: HitCounter;
}

/** The cache while its directory can be used. */
export class CacheDirectory {
  private readonly options: CacheDirectoryOptions;
  private readonly files: ObjectFiles;
  private readonly records: RecordStore;
  private readonly registry: FileRegistry;
  private readonly room: Room;
  private readonly context: CacheContext;
  private readonly adoption: Adoption;
  private readonly disk: DiskFailure;
  private readonly work = new BackgroundWork();
  private readonly stopping = new AbortController();
  private readonly loaded: Promise<void>;
  private swept: Promise<void> = Promise.resolve();

  private constructor(options: CacheDirectoryOptions, records: RecordStore) {
    const { io, directory } = options;
    this.options = options;
    this.records = records;
    const files = new ObjectFiles(io, directory);
    this.files = files;
    this.disk = new DiskFailure(directory, options.retryMs);
    this.registry = new FileRegistry({
      records,
      files,
      maxIdleFiles: options.maxIdleFiles ?? DEFAULT_IDLE_FILES,
      makeFile: (id, size, record) =>
        new CachedFile(this.context, { id, path: files.pathOf(id), size }, record),
    });
    this.room = new Room({
      limitBytes: options.limitBytes,
      minFreeBytes: options.minFreeBytes,
      catalogue: this.registry.catalogue,
      freeBytes: async () => io.freeBytes(directory),
      isInUse: (id) => this.registry.isActive(id),
      evict: async (id, bytes) => this.evict(id, bytes),
    });
    this.context = this.makeContext();
    const { registry, context, work } = this;
    this.adoption = new Adoption({ registry, files, context, work });
    this.loaded = this.load();
  }

  /** Rejects with the system's error when the directory cannot be written. */
  static async open(options: CacheDirectoryOptions): Promise<CacheDirectory> {
    await options.io.makeDirectory(join(options.directory, "objects"));
    const records = await RecordStore.open(options.directory, options.bootId);
    return new CacheDirectory(options, records);
  }

  get bytes(): number {
    return this.room.bytes;
  }

  get objects(): number {
    return this.registry.catalogue.size;
  }

  get failure(): string | undefined {
    return this.disk.reason;
  }

  use(version: ObjectVersion): CachedObject {
    const file = this.registry.activate(objectId(version), version.size);
    file.uses++;
    // the open after this one, if not this one, goes by passthrough
    file.backing();
    return new CachedUse(version, file, this.options.counter, (read) => this.verifyAhead(read));
  }

  async adopt(version: ObjectVersion, path: string, crc32?: number): Promise<boolean> {
    return this.adoption.adopt(version, path, crc32);
  }

  drop(version: ObjectVersion): void {
    this.registry.forget(objectId(version));
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loaded;
    await this.swept;
    await this.work.done();
    await this.files.allSettled();
    this.registry.closeIdle();
    // the disk may be unmounted next
    await this.work.done();
    await this.records.close();
  }

  private async load(): Promise<void> {
    // lets the caller finish first
    await Promise.resolve();
    await this.registry.load();
    // the marker only sharpens what the next start can tell
    await this.records.markLoaded(this.options.bootId).catch(() => undefined);
    this.swept = sweepLeftovers(
      this.options.io,
      this.files.path,
      async (id) => {
        const isKnown = this.registry.isKnown(id) || this.adoption.isUnderWay(id);
        if (!isKnown) await this.files.unlink(id);
      },
      this.stopping.signal,
    );
  }

  private async evict(id: ObjectId, bytes: number): Promise<number> {
    const { registry, files } = this;
    const { catalogue } = registry;
    const entry = catalogue.peek(id);
    if (entry === undefined) return 0;
    const before = entry.bytes;
    const evictor: Evictor = {
      catalogue,
      record: (file) => registry.record(file),
      ...(this.options.punchHole === undefined ? {} : { punchHole: this.options.punchHole }),
    };
    const isShortened = await files.change(id, async () => {
      // somebody may have begun to use it meanwhile
      const file = registry.asIdle(id);
      return file !== undefined && evictFile(evictor, file, entry, bytes);
    });
    if (isShortened) return before - entry.bytes;
    registry.forget(id);
    await files.settled(id);
    return before;
  }

  private verifyAhead(file: CachedFile): void {
    const isWanted = file.isComplete && !file.isTrusted && file.size <= VERIFY_AHEAD_BYTES;
    if (!isWanted || file.isVerifying) return;
    file.isVerifying = true;
    this.work.inTurn(file, async () => {
      const isRight = !this.stopping.signal.aborted && (await file.verifyAll());
      if (isRight) await file.openForReading();
      file.isVerifying = false;
    });
  }

  private makeContext(): CacheContext {
    const { registry, files, disk } = this;
    return {
      io: this.options.io,
      room: this.room,
      direct: new DirectWrites(this.options.io, this.options.addressOf),
      budget: new WriteBudget(this.options.writeBudgetBytes ?? DEFAULT_WRITE_BUDGET_BYTES),
      readable: async (id) => files.settled(id),
      writable: async (id) => {
        await this.loaded;
        await files.settled(id);
        await files.makeFolder(id);
      },
      mayWrite: () => !disk.isBlocking,
      track: (work) => this.work.track(work),
      changed: (file) => registry.record(file),
      entry: (id) => registry.catalogue.touch(id),
      grow: (entry, bytes) => registry.catalogue.grow(entry, bytes),
      failed: (error) => {
        files.forgetFolders();
        disk.failed(error);
      },
      worked: () => disk.worked(),
      lost: (file, reason) => {
        if (file.isGone) return;
        log.warn('Cached object in "%s" is dropped: %s', this.options.directory, reason);
        registry.forget(file.id);
      },
      damaged: (file, block, bytes) => {
        log.warn('Cached block in "%s" has a wrong checksum and is dropped', file.path);
        if (file.isGone || !file.present.has(block)) return;
        file.forget(block);
        registry.catalogue.grow(registry.catalogue.touch(file.id), -bytes);
        registry.record(file);
      },
      settled: (file) => registry.settled(file),
    };
  }
}
