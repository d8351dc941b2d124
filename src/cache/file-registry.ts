// Which objects are cached, and the CachedFile that stands for each of them while it is used and for a while after.
import { LRUCache } from "lru-cache";
import type { CachedFile } from "./cached-file.ts";
import { Catalogue } from "./catalogue.ts";
import type { ObjectFiles } from "./object-files.ts";
import { type ObjectId, type ObjectRecord, presentBytes } from "./object-record.ts";
import type { RecordStore } from "./record-store.ts";

// the order of eviction need not be exact, a record per open would be
const LAST_USED_STEP_MS = 10 * 60_000;

export interface FileRegistryOptions {
  readonly records: RecordStore;
  readonly files: ObjectFiles;
  /** Descriptors kept for objects that nobody uses. */
  readonly maxIdleFiles: number;
  /** Makes what stands for an object of `size` bytes; without a record nothing of it is there. */
  makeFile(id: ObjectId, size: number, record: ObjectRecord | undefined): CachedFile;
}

/**
 * A file is in `active` while used or busy, in `idle` (with its descriptor) for a while after, else only in the catalogue
 * and the records. One that was evicted or dropped is in none of them, however long it is still used.
 */
export class FileRegistry {
  readonly catalogue = new Catalogue();
  private readonly options: FileRegistryOptions;
  private readonly active = new Map<ObjectId, CachedFile>();
  private readonly idle: LRUCache<ObjectId, CachedFile>;
  private isLoaded = false;

  constructor(options: FileRegistryOptions) {
    this.options = options;
    this.idle = new LRUCache({
      max: options.maxIdleFiles,
      dispose: (file, _id, reason) => {
        if (reason === "evict") file.closeFds();
      },
    });
  }

  /** Takes over what an earlier run left. */
  async load(): Promise<void> {
    await this.catalogue.load(this.options.records);
    this.isLoaded = true;
  }

  isActive(id: ObjectId): boolean {
    return this.active.has(id);
  }

  /** Once loaded. */
  isKnown(id: ObjectId): boolean {
    return this.catalogue.peek(id) !== undefined || this.active.has(id);
  }

  /** The file of an object that is about to be used, the most recently used one from now on. */
  activate(id: ObjectId, size: number): CachedFile {
    const file = this.active.get(id) ?? this.idle.peek(id) ?? this.fromRecord(id, size);
    this.idle.delete(id);
    this.active.set(id, file);
    this.touch(file);
    return file;
  }

  /** A file that nobody uses, without a change of the order of use; undefined when it is in use or unknown. */
  asIdle(id: ObjectId): CachedFile | undefined {
    if (this.active.has(id)) return undefined;
    const idle = this.idle.peek(id);
    if (idle !== undefined) return idle;
    const record = this.options.records.get(id);
    return record && this.options.makeFile(id, record.size, record);
  }

  /** Keeps what is present of a file for the next start. */
  record(file: CachedFile): void {
    if (file.isGone || !file.isRecordable) return;
    if (file.lastUsed === 0) file.lastUsed = Date.now();
    this.options.records.set(file.id, file.present.count === 0 ? undefined : file);
  }

  /** Takes an object out of the cache; uses of it keep what they have open. */
  forget(id: ObjectId): void {
    const file = this.active.get(id) ?? this.idle.peek(id);
    const isKnown = this.catalogue.peek(id) !== undefined || !this.isLoaded;
    this.catalogue.delete(id);
    if (file === undefined && !isKnown) return;
    this.options.records.set(id, undefined);
    this.active.delete(id);
    this.idle.delete(id);
    if (file !== undefined) {
      file.isGone = true;
      if (file.isIdle) file.closeFds();
    }
    // never rejects, and whoever comes next waits for it
    void this.options.files.unlink(id);
  }

  /** Nothing is under way with a file any more, and nobody uses it. */
  settled(file: CachedFile): void {
    if (file.isGone || this.active.get(file.id) !== file) {
      file.closeFds();
      return;
    }
    this.active.delete(file.id);
    if (file.present.count === 0) this.forgetEmpty(file);
    else this.idle.set(file.id, file);
  }

  /** Closes the descriptors of files that nobody uses. */
  closeIdle(): void {
    for (const file of this.idle.values()) file.closeFds();
    this.idle.clear();
  }

  private fromRecord(id: ObjectId, size: number): CachedFile {
    const isKnown = !this.isLoaded || this.catalogue.peek(id) !== undefined;
    const record = isKnown ? this.options.records.get(id) : undefined;
    const file = this.options.makeFile(id, size, record);
    if (record === undefined) return file;
    const entry = this.catalogue.touch(id);
    if (entry.bytes === 0) this.catalogue.grow(entry, presentBytes(record));
    if (entry.isVerified) file.verified.addAll();
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

  /** Nothing was ever completed, or nothing is left. */
  private forgetEmpty(file: CachedFile): void {
    file.isGone = true;
    file.closeFds();
    this.catalogue.delete(file.id);
    if (file.wasWritten) void this.options.files.unlink(file.id);
  }
}
