// The bytes of one PUT attempt: counted, watched, digested when asked.
import { createHash } from "node:crypto";
import { type FsError, toSystemFsError } from "../posix/errno.ts";
import type { ByteRange, UploadSource } from "./object-store.ts";
import type { Watchdog } from "./watchdog.ts";

/** One pass over a range of a source; each chunk taken is progress. */
export class UploadBody implements AsyncIterable<Uint8Array> {
  /** Bytes. */
  readonly size: number;
  /** What the source itself rejected with. */
  sourceError: FsError | undefined;
  /** Bytes taken to be sent. */
  movedBytes = 0;
  readonly #source: UploadSource;
  readonly #range: ByteRange;
  readonly #watchdog: Watchdog;
  #firstMs = 0;
  #lastMs = 0;

  constructor(upload: { source: UploadSource; range: ByteRange }, watchdog: Watchdog) {
    this.#source = upload.source;
    this.#range = upload.range;
    this.#watchdog = watchdog;
    this.size = upload.range.end - upload.range.start;
  }

  /** Milliseconds from the first chunk taken to the last. */
  get movingMs(): number {
    return this.#lastMs - this.#firstMs;
  }

  /** Hex SHA-256 by a pass of its own. */
  async sha256(): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of this.#chunks()) hash.update(chunk);
    return hash.digest("hex");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.#firstMs = performance.now();
    for await (const chunk of this.#chunks()) {
      this.#lastMs = performance.now();
      this.movedBytes += chunk.length;
      yield chunk;
    }
    this.#lastMs = performance.now();
  }

  async *#chunks(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#source.read(this.#range)) {
        this.#watchdog.touch();
        yield chunk;
      }
    } catch (error) {
      this.sourceError = toSystemFsError(error, "Cannot read what to upload");
      throw this.sourceError;
    }
  }
}
