// Keeps LMDB from writing to a full disk.
import { statfs } from "node:fs/promises";
import { FsError } from "./errno.ts";

/** Must be free for a transaction of LMDB, in bytes; more than one takes here. */
const LEAST_BYTES = 4 * 1024 * 1024;
/** With so much free the answer holds for a while, in bytes. */
const PLENTY_BYTES = 256 * 1024 * 1024;
/** How long it holds, in ms: nobody writes PLENTY_BYTES in that time. */
const HOLDS_MS = 100;

/**
 * lmdb-js 3.5.6 composes the message of a write that fails with ENOSPC in a buffer that is too small for it (last_error in
 * mdb.c), which damages the heap: the process aborts, at once or later. So a commit does not begin on a full disk.
 */
export class DiskRoom {
  readonly #directory: string;
  #holdsUntil = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Rejects with ENOSPC where a transaction might not find room. */
  async ensure(): Promise<void> {
    if (performance.now() < this.#holdsUntil) return;
    const disk = await statfs(this.#directory);
    const free = disk.bavail * disk.bsize;
    if (free < LEAST_BYTES) {
      throw new FsError("ENOSPC", `Cannot write to "${this.#directory}": the disk is full`);
    }
    this.#holdsUntil = free < PLENTY_BYTES ? 0 : performance.now() + HOLDS_MS;
  }
}
