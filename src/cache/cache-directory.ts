// A cache directory that could be opened: which objects it has, who uses them, and how they come and go.
import { join } from "node:path";
import { Errno, errnoOf } from "../posix/errno.ts";
import { log } from "../log.ts";
import { LRUCache } from "lru-cache";
import { BackgroundWork } from "./background-work.ts";
import type { CachedObject, ObjectVersion } from "./block-cache.ts";
import type { CacheContext } from "./cache-context.ts";
import { CachedFile } from "./cached-file.ts";
import { CachedUse, type HitCounter } from "./cached-use.ts";
import { Catalogue } from "./catalogue.ts";
import type { DiskCacheOptions } from "./cache-options.ts";
import { DiskFailure } from "./disk-failure.ts";
import type { DiskIo } from "./disk-io.ts";
import { evictFile, type Evictor } from "./evict-file.ts";
import { ObjectFiles } from "./object-files.ts";
import { objectId, type ObjectId, presentBytes } from "./object-record.ts";
import { RecordStore } from "./record-store.ts";
import { Room } from "./room.ts";
import { sweepLeftovers } from "./sweep.ts";
import { WriteBudget } from "./write-budget.ts";

const DEFAULT_WRITE_BUDGET_BYTES = 64 * 1024 * 1024;
const DEFAULT_IDLE_FILES = 512;
// larger ones are verified by being read
const VERIFY_AHEAD_BYTES = 64 * 1024 * 1024;
// the order of eviction need not be exact, a record per open would be
const LAST_USED_STEP_MS = 10 * 60_000;

export interface CacheDirectoryOptions extends DiskCacheOptions {
  readonly io: DiskIo;
  readonly bootId: string;
  readonly retryMs: number;
  readonly counter: HitCounter;
}

/**
 * A file is in `active` while used or busy, in `idle` (with its descriptor) for a while after, else only in the catalogue
 * and the records. One that was evicted or dropped is in none of them, however long it is still used.
 */
export class CacheDirectory {
  private readonly options: CacheDirectoryOptions;
  private readonly io: DiskIo;
  private readonly files: ObjectFiles;
  private readonly records: RecordStore;
  private readonly catalogue = new Catalogue();
  private readonly room: Room;
  private readonly context: CacheContext;
  private readonly disk: DiskFailure;
  private readonly active = new Map<ObjectId, CachedFile>();
  private readonly idle: LRUCache<ObjectId, CachedFile>;
  private readonly adopting = new Set<ObjectId>();
  private readonly work = new BackgroundWork();
  private readonly stopping = new AbortController();
  private readonly loaded: Promise<void>;
  private isLoaded = false;
  private swept: Promise<void> = Promise.resolve();

  private constructor(options: CacheDirectoryOptions, records: RecordStore) {
    this.options = options;
    this.io = options.io;
    this.records = records;
    this.files = new ObjectFiles(this.io, options.directory);
    this.disk = new DiskFailure(options.directory, options.retryMs);
    this.idle = new LRUCache({
      max: options.maxIdleFiles ?? DEFAULT_IDLE_FILES,
      dispose: (file, _id, reason) => {
        if (reason === "evict") file.closeFds();
      },
    });
    this.room = new Room({
      limitBytes: options.limitBytes,
      minFreeBytes: options.minFreeBytes,
      catalogue: this.catalogue,
      freeBytes: async () => this.io.freeBytes(options.directory),
      isInUse: (id) => this.active.has(id),
      evict: async (id, bytes) => this.evict(id, bytes),
    });
    this.context = this.makeContext();
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
    return this.catalogue.size;
  }

  get failure(): string | undefined {
    return this.disk.reason;
  }

  use(version: ObjectVersion): CachedObject {
    const file = this.activate(objectId(version), version.size);
    file.uses++;
    // the open after this one, if not this one, goes by passthrough
    file.backing();
    return new CachedUse(version, file, this.options.counter, (read) => this.verifyAhead(read));
  }

  async adopt(version: ObjectVersion, path: string): Promise<boolean> {
    const id = objectId(version);
    if (this.disk.isBlocking) return false;
    this.forget(id);
    await this.context.writable(id);
    if (!(await this.room.reserve(version.size, id))) return false;
    let file: CachedFile;
    this.adopting.add(id);
    try {
      if ((await this.io.size(path)) !== version.size) return false;
      // a use that began meanwhile has nothing or the same bytes
      this.forget(id);
      await this.files.settled(id);
      await this.io.rename(path, this.files.pathOf(id));
      file = this.activate(id, version.size);
    } catch (error) {
      if (errnoOf(error) !== Errno.EXDEV) this.disk.failed(error);
      return false;
    } finally {
      this.adopting.delete(id);
      this.room.release(version.size);
    }
    file.present.addAll();
    file.verified.addAll();
    const entry = this.catalogue.touch(id);
    this.catalogue.grow(entry, version.size - entry.bytes);
    entry.isVerified = true;
    file.isRecordable = false;
    this.work.inTurn(file, async () => {
      file.isRecordable = await file.checksumAll();
      if (file.isRecordable) this.record(file);
      else if (!file.isGone) this.forget(id);
    });
    return true;
  }

  drop(version: ObjectVersion): void {
    this.forget(objectId(version));
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loaded;
    await this.swept;
    await this.work.done();
    await this.files.allSettled();
    for (const file of this.idle.values()) file.closeFds();
    this.idle.clear();
    await this.records.close();
  }

  private async load(): Promise<void> {
    // lets the caller finish first
    await Promise.resolve();
    await this.catalogue.load(this.records);
    this.isLoaded = true;
    // the marker only sharpens what the next start can tell
    await this.records.markLoaded(this.options.bootId).catch(() => undefined);
    this.swept = sweepLeftovers(
      this.io,
      this.files.path,
      async (id) => {
        if (!this.isKnown(id)) await this.files.unlink(id);
      },
      this.stopping.signal,
    );
  }

  private isKnown(id: ObjectId): boolean {
    return this.catalogue.peek(id) !== undefined || this.active.has(id) || this.adopting.has(id);
  }

  private activate(id: ObjectId, size: number): CachedFile {
    const running = this.active.get(id);
    if (running !== undefined) {
      this.touch(running);
      return running;
    }
    let file = this.idle.get(id);
    this.idle.delete(id);
    if (file === undefined) {
      const isKnown = !this.isLoaded || this.catalogue.peek(id) !== undefined;
      const record = isKnown ? this.records.get(id) : undefined;
      file = new CachedFile(this.context, { id, path: this.files.pathOf(id), size }, record);
      const entry = record === undefined ? undefined : this.catalogue.touch(id);
      if (record !== undefined && entry?.bytes === 0) {
        this.catalogue.grow(entry, presentBytes(record));
      }
      if (entry?.isVerified === true) file.verified.addAll();
    }
    this.active.set(id, file);
    this.touch(file);
    return file;
  }

  private touch(file: CachedFile): void {
    if (file.present.count === 0) return;
    this.catalogue.touch(file.id);
    const now = Date.now();
    if (now - file.lastUsed < LAST_USED_STEP_MS) return;
    file.lastUsed = now;
    this.record(file);
  }

  private record(file: CachedFile): void {
    if (file.isGone || !file.isRecordable) return;
    if (file.lastUsed === 0) file.lastUsed = Date.now();
    this.records.set(file.id, file.present.count === 0 ? undefined : file);
  }

  /** Takes an object out of the cache; uses of it keep what they have open. */
  private forget(id: ObjectId): void {
    const file = this.active.get(id) ?? this.idle.peek(id);
    const isKnown = this.catalogue.peek(id) !== undefined || !this.isLoaded;
    this.catalogue.delete(id);
    if (file === undefined && !isKnown) return;
    this.records.set(id, undefined);
    this.active.delete(id);
    this.idle.delete(id);
    if (file !== undefined) {
      file.isGone = true;
      if (file.isIdle) file.closeFds();
    }
    // never rejects, and whoever comes next waits for it
    void this.files.unlink(id);
  }

  private async evict(id: ObjectId, bytes: number): Promise<number> {
    const entry = this.catalogue.peek(id);
    if (entry === undefined) return 0;
    const before = entry.bytes;
    const evictor: Evictor = {
      catalogue: this.catalogue,
      record: (file) => this.record(file),
      ...(this.options.punchHole === undefined ? {} : { punchHole: this.options.punchHole }),
    };
    const isShortened = await this.files.change(id, async () => {
      // somebody may have begun to use it meanwhile
      const file = this.active.has(id) ? undefined : this.asIdle(id);
      return file !== undefined && evictFile(evictor, file, entry, bytes);
    });
    if (isShortened) return before - entry.bytes;
    this.forget(id);
    await this.files.settled(id);
    return before;
  }

  /** For eviction: without a change of the order of use. */
  private asIdle(id: ObjectId): CachedFile | undefined {
    const idle = this.idle.peek(id);
    if (idle !== undefined) return idle;
    const record = this.records.get(id);
    if (record === undefined) return undefined;
    return new CachedFile(
      this.context,
      { id, path: this.files.pathOf(id), size: record.size },
      record,
    );
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
    return {
      io: this.io,
      room: this.room,
      budget: new WriteBudget(this.options.writeBudgetBytes ?? DEFAULT_WRITE_BUDGET_BYTES),
      readable: async (id) => this.files.settled(id),
      writable: async (id) => {
        await this.loaded;
        await this.files.settled(id);
        await this.files.makeFolder(id);
      },
      mayWrite: () => !this.disk.isBlocking,
      track: (work) => this.work.track(work),
      changed: (file) => this.record(file),
      entry: (id) => this.catalogue.touch(id),
      grow: (entry, bytes) => this.catalogue.grow(entry, bytes),
      failed: (error) => {
        this.files.forgetFolders();
        this.disk.failed(error);
      },
      worked: () => this.disk.worked(),
      lost: (file, reason) => {
        if (file.isGone) return;
        log.warn('Cached object in "%s" is dropped: %s', this.options.directory, reason);
        this.forget(file.id);
      },
      damaged: (file, block, bytes) => {
        log.warn('Cached block in "%s" has a wrong checksum and is dropped', file.path);
        if (file.isGone || !file.present.has(block)) return;
        file.forget(block);
        this.catalogue.grow(this.catalogue.touch(file.id), -bytes);
        this.record(file);
      },
      settled: (file) => this.settled(file),
    };
  }

  private settled(file: CachedFile): void {
    if (file.isGone || this.active.get(file.id) !== file) {
      file.closeFds();
      return;
    }
    this.active.delete(file.id);
    if (file.present.count === 0) this.forgetEmpty(file);
    else this.idle.set(file.id, file);
  }

  /** Nothing was ever completed, or nothing is left. */
  private forgetEmpty(file: CachedFile): void {
    file.isGone = true;
    file.closeFds();
    this.catalogue.delete(file.id);
    if (file.wasWritten) void this.files.unlink(file.id);
  }
}
