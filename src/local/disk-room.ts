// min_free for files that are written to the local disk for good.
import { statfs } from "node:fs/promises";
import { FsError } from "../posix/errno.ts";

/** Room to leave on a disk: bytes, or a share of its size. */
export type MinFree = { readonly bytes: number } | { readonly fraction: number };

const SAMPLE_MS = 250;
const GIB = 2 ** 30;

/** Knows the free room of a disk as of a moment ago, less what was written since. */
export class DiskRoom {
  readonly #directory: string;
  readonly #minFree: MinFree;
  #free = 0;
  #leave = 0;
  #reserve = 0;
  #taken = 0;
  #sampledMs = -Infinity;

  constructor(directory: string, minFree: MinFree) {
    this.#directory = directory;
    this.#minFree = minFree;
  }

  /** Looks at the disk unless that was done a moment ago. */
  async look(): Promise<void> {
    if (performance.now() - this.#sampledMs > SAMPLE_MS) await this.#sample();
  }

  /** Counts `bytes` about to be written; rejects with ENOSPC when less than min_free would be left. */
  async take(bytes: number): Promise<void> {
    await this.look();
    // rewritten bytes were counted twice
    if (!this.#fits(bytes)) await this.#sample();
    if (!this.#fits(bytes)) {
      throw new FsError("ENOSPC", "Cannot write: the local disk has only min_free left");
    }
    this.#taken += bytes;
  }

  /** Whether the kernel may write unseen: 1 GiB or a twentieth of the disk is left above min_free. */
  roomy(): boolean {
    return this.#fits(this.#reserve);
  }

  #fits(bytes: number): boolean {
    return this.#free - this.#taken - bytes >= this.#leave;
  }

  async #sample(): Promise<void> {
    const disk = await statfs(this.#directory);
    const total = disk.blocks * disk.bsize;
    this.#free = disk.bavail * disk.bsize;
    this.#leave = "bytes" in this.#minFree ? this.#minFree.bytes : this.#minFree.fraction * total;
    this.#reserve = Math.min(GIB, total / 20);
    this.#taken = 0;
    this.#sampledMs = performance.now();
  }
}
