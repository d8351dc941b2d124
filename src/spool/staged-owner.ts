// What happens to a staged file when a record of it goes.
import type { BlockCache, ObjectVersion } from "../cache/block-cache.ts";
import { log } from "../log.ts";
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

  /** The record was fulfilled: the bytes are an object; `crc32` of them, if known. Never rejects. */
  async uploaded({ key, staged, size }: PutRecord, etag: string, crc32?: number): Promise<void> {
    const object = { key, etag, size };
    if (this.#letGo(staged, object)) await this.#adopt(staged, object, crc32);
  }

  /** The record was cancelled. */
  dropped(staged: string): void {
    if (this.#letGo(staged)) this.#files.discard(staged);
  }

  /** The last writer of a leftover is gone; a promise while its bytes become cache content, which never rejects. */
  released(staged: string, object: ObjectVersion | undefined): Promise<void> | undefined {
    // its writer planned with it again
    if (this.#files.isRetained(staged)) return undefined;
    if (object !== undefined) return this.#adopt(staged, object);
    this.#files.discard(staged);
    return undefined;
  }

  async #adopt(staged: string, object: ObjectVersion, crc32?: number): Promise<void> {
    const cache = this.#cache;
    let isTaken = false;
    try {
      // longer: bytes behind the last close that were never promised
      const isWhole = cache !== undefined && (await this.#files.sizeOf(staged)) === object.size;
      isTaken = isWhole && (await cache.adopt(object, this.#files.path(staged), crc32));
    } catch (error) {
      // the object is in the bucket: it is fetched when someone reads it
      log.warn("Cannot keep the uploaded file %s in the cache: %s", staged, error);
    }
    if (isTaken) this.#files.forget(staged);
    else this.#files.discard(staged);
  }

  #letGo(staged: string, object?: ObjectVersion): boolean {
    this.#files.unretain(staged);
    if (this.#files.isRetained(staged)) return false;
    if (!this.#holds.isHeld(staged)) return true;
    this.#holds.leaveOver(staged, object);
    return false;
  }
}
