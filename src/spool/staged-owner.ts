// What happens to a staged file when a record of it goes.
import type { BlockCache } from "../cache/block-cache.ts";
import type { PutRecord } from "../state/queue-record.ts";
import type { Holds } from "./holds.ts";
import type { StagedFiles } from "./staged-files.ts";

/** The last record decides: the bytes become cache content, or go; while a writer is left they stay for its next plan. */
export class StagedOwner {
  readonly #files: StagedFiles;
  readonly #holds: Holds;
  readonly #cache: Pick<BlockCache, "adopt"> | undefined;

  constructor(files: StagedFiles, holds: Holds, cache: Pick<BlockCache, "adopt"> | undefined) {
    this.#files = files;
    this.#holds = holds;
    this.#cache = cache;
  }

  /** The record was fulfilled: the bytes are an object. Rejects with FsError when the disk fails. */
  async uploaded({ key, staged, size }: PutRecord, etag: string): Promise<void> {
    if (!this.#letGo(staged)) return;
    const cache = this.#cache;
    // longer: bytes behind the last close that were never promised
    const isWhole = cache !== undefined && (await this.#files.sizeOf(staged)) === size;
    const isTaken = isWhole && (await cache.adopt({ key, etag, size }, this.#files.path(staged)));
    if (isTaken) this.#files.forget(staged);
    else this.#files.discard(staged);
  }

  /** The record was cancelled. */
  dropped(staged: string): void {
    if (this.#letGo(staged)) this.#files.discard(staged);
  }

  /** The last writer is gone. */
  discardUnused(staged: string): void {
    if (!this.#files.isRetained(staged)) this.#files.discard(staged);
  }

  #letGo(staged: string): boolean {
    this.#files.unretain(staged);
    if (this.#files.isRetained(staged)) return false;
    if (!this.#holds.isHeld(staged)) return true;
    this.#holds.leaveOver(staged);
    return false;
  }
}
