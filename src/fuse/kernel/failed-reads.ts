// The kernel asks a second time, at once, for a page that its read-ahead did not get (filemap_read_folio after
// page_cache_ra_unbounded, mm/): who has waited until the deadline must not wait for it twice.
import type { FileHandle, MaybePromise } from "../../fs/file-system.ts";
import { Errno, errnoOf } from "../../posix/errno.ts";

/** A failure that took less is found out again. */
const WORTH_MS = 500;
/** So soon after the failure, in ms, a READ from the same offset on is the kernel's second try. */
const AT_ONCE_MS = 250;

interface FailedRead {
  readonly offset: number;
  readonly error: unknown;
  readonly atMs: number;
}

export class FailedReads {
  /** The failures of a handle that may come again: one for each READ of a read-ahead. */
  readonly #byHandle = new WeakMap<FileHandle, FailedRead[]>();

  /** Runs a READ of `handle`; rejects at once with the error of one that failed just now from the same offset on. */
  run<T>(handle: FileHandle, offset: number, read: () => MaybePromise<T>): MaybePromise<T> {
    const repeated = this.#take(handle, offset);
    if (repeated !== undefined) throw repeated.error;
    const startedMs = performance.now();
    const result = read();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      const atMs = performance.now();
      const isWorth = atMs - startedMs >= WORTH_MS && errnoOf(error) === Errno.EIO;
      if (isWorth) this.#keep(handle, { offset, error, atMs });
      throw error;
    });
  }

  #take(handle: FileHandle, offset: number): FailedRead | undefined {
    const failed = this.#byHandle.get(handle);
    if (failed === undefined) return undefined;
    const afterMs = performance.now() - AT_ONCE_MS;
    const found = failed.find((read) => read.offset === offset && read.atMs >= afterMs);
    const rest = failed.filter((read) => read !== found && read.atMs >= afterMs);
    if (rest.length === 0) this.#byHandle.delete(handle);
    else this.#byHandle.set(handle, rest);
    return found;
  }

  #keep(handle: FileHandle, read: FailedRead): void {
    const failed = this.#byHandle.get(handle);
    if (failed === undefined) this.#byHandle.set(handle, [read]);
    else failed.push(read);
  }
}
