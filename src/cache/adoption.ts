// Makes plain files cache content without copying them.
import { Errno, errnoOf } from "../posix/errno.ts";
import type { BackgroundWork } from "./background-work.ts";
import type { ObjectVersion } from "./block-cache.ts";
import type { CachedFile } from "./cached-file.ts";
import type { CacheContext } from "./cache-context.ts";
import type { FileRegistry } from "./file-registry.ts";
import type { ObjectFiles } from "./object-files.ts";
import { objectId, type ObjectId } from "./object-record.ts";

export interface AdoptionOptions {
  readonly registry: FileRegistry;
  readonly files: ObjectFiles;
  readonly context: CacheContext;
  readonly work: BackgroundWork;
}

/** Takes files over, any number at a time. */
export class Adoption {
  private readonly options: AdoptionOptions;
  private readonly adopting = new Set<ObjectId>();

  constructor(options: AdoptionOptions) {
    this.options = options;
  }

  /** Whether a file of this object may be in place that nothing else knows yet. */
  isUnderWay(id: ObjectId): boolean {
    return this.adopting.has(id);
  }

  /** Contract: BlockCache.adopt, for versions with bytes and an ETag. */
  async adopt(version: ObjectVersion, path: string, crc32?: number): Promise<boolean> {
    const { registry, context } = this.options;
    const id = objectId(version);
    if (!context.mayWrite()) return false;
    registry.forget(id);
    await context.writable(id);
    if (!(await context.room.reserve(version.size, id))) return false;
    let file: CachedFile | undefined;
    this.adopting.add(id);
    try {
      file = await this.moveIn(id, version.size, path);
    } catch (error) {
      if (errnoOf(error) !== Errno.EXDEV) context.failed(error);
    } finally {
      this.adopting.delete(id);
      context.room.release(version.size);
    }
    if (file === undefined) return false;
    this.count(file);
    if (crc32 !== undefined && file.present.length === 1) {
      file.checksums[0] = crc32;
      registry.record(file);
      if (file.isIdle) registry.settled(file);
    } else this.checksum(file);
    return true;
  }

  private async moveIn(id: ObjectId, size: number, path: string): Promise<CachedFile | undefined> {
    const { registry, files, context } = this.options;
    if ((await context.io.size(path)) !== size) return undefined;
    // a use that began meanwhile has nothing or the same bytes
    registry.forget(id);
    await files.settled(id);
    await context.io.rename(path, files.pathOf(id));
    return registry.activate(id, size);
  }

  private count(file: CachedFile): void {
    const { catalogue } = this.options.registry;
    file.present.addAll();
    file.verified.addAll();
    const entry = catalogue.touch(file.id);
    catalogue.grow(entry, file.size - entry.bytes);
    entry.isVerified = true;
  }

  /** Recorded only with its checksums: what is not when the daemon dies is swept at the next start. */
  private checksum(file: CachedFile): void {
    const { registry, work } = this.options;
    file.isRecordable = false;
    work.inTurn(file, async () => {
      file.isRecordable = await file.checksumAll();
      if (file.isRecordable) registry.record(file);
      else if (!file.isGone) registry.forget(file.id);
    });
  }
}
