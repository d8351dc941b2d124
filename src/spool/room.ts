// The limits of the spool: bytes staged, and bytes left on its disk.
import { statfs } from "node:fs/promises";
import { log } from "../log.ts";
import { FsError } from "../posix/errno.ts";

export interface RoomOptions {
  readonly directory: string;
  /** Most bytes of staged files, open and waiting. */
  readonly limitBytes: number;
  /** Room to leave on the disk: bytes, or a share of its size. */
  readonly minFree: { readonly bytes: number } | { readonly fraction: number };
  /** How long a write waits for room. */
  readonly waitMs: number;
  /** Since when S3 is away, in ms since the epoch; undefined while it answers. */
  readonly failingSinceMs: () => number | undefined;
  /** Disk bytes of the files that are open now, by fstat. */
  readonly openBytes: () => number;
}

interface Waiter {
  /** Still to be written; 0 for bytes that are on the disk already. */
  readonly bytes: number;
  /** By how much the limits may be passed. */
  readonly slack: number;
  readonly timer: NodeJS.Timeout;
  resolve(): void;
}

const SAMPLE_MS = 250;
const GIB = 2 ** 30;
/** Less than this on the disk is none: the journal needs some too. */
const FULL_DISK_BYTES = 2 ** 20;

/**
 * Use is what closed files hold, plus what open ones held at the last sample (the kernel writes to them unseen), plus
 * what went through take() since. Samples are taken while files are open or writers wait; overwritten bytes count
 * twice until then, so no one is turned away before a fresh one.
 */
export class Room {
  readonly #options: RoomOptions;
  #closed = 0;
  #open = 0;
  #taken = 0;
  #free = Infinity;
  #minFree = 0;
  #total = Infinity;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #sampling: Promise<void> | undefined;
  #isShort = false;
  #isOutgrown = false;
  readonly #waiters = new Set<Waiter>();

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Bytes staged, as far as is known. */
  get used(): number {
    return this.#closed + this.#open + this.#taken;
  }

  /** For `pailfs status`. */
  get usage(): { readonly bytes: number; readonly limitBytes: number } {
    return { bytes: this.used, limitBytes: this.#options.limitBytes };
  }

  /** Looks at the disk and at open files now; a disk that cannot be asked counts as it did before. */
  sample(): Promise<void> {
    this.#sampling ??= this.#sample().finally(() => {
      this.#sampling = undefined;
    });
    return this.#sampling;
  }

  /** A file was opened; it counts by fstat until closed(). */
  opened(): void {
    this.#users += 1;
    this.#watch();
  }

  /** The last use of a file ended and left `bytes` on the disk, which count until freed(). */
  closed(bytes: number): void {
    this.#users -= 1;
    this.#closed += bytes;
    this.#open = Math.max(0, this.#open - bytes);
  }

  /** A closed file of `bytes` is open again: they count as before. */
  reopened(bytes: number): void {
    this.#closed -= bytes;
    this.#open += bytes;
  }

  /** A file found at start. */
  found(bytes: number): void {
    this.#closed += bytes;
  }

  /** A closed file is gone. */
  freed(bytes: number): void {
    this.#closed -= bytes;
    this.#admit();
  }

  /** Counts `bytes` about to be written; waits for room when there is none, then rejects with ENOSPC. Undefined: go ahead. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#waiters.size === 0 && this.#fits(bytes, 0)) {
      this.#taken += bytes;
      return undefined;
    }
    return this.#wait(bytes, 0);
  }

  /**
   * As take() for an open file that the kernel wrote to unseen and that has `bytes` now: the limits may be passed by the
   * reserve that roomy() wants, no further.
   */
  settle(bytes: number): Promise<void> | undefined {
    if (this.#fits(bytes, 0)) return undefined;
    return this.#wait(0, this.#reserve);
  }

  /** Whether a clear reserve is left. */
  roomy(): boolean {
    return this.#waiters.size === 0 && this.#fits(this.#reserve, 0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#users = 0;
  }

  /** 1 GiB or a fifth of the limit, whichever is smaller. */
  get #reserve(): number {
    return Math.min(GIB, this.#options.limitBytes / 5);
  }

  #fits(bytes: number, slack: number): boolean {
    const leave = Math.max(FULL_DISK_BYTES, this.#minFree - slack);
    return (
      this.used + bytes <= this.#options.limitBytes + slack &&
      this.#free - this.#taken - bytes >= leave
    );
  }

  async #wait(bytes: number, slack: number): Promise<void> {
    await this.sample();
    if ((slack > 0 || this.#waiters.size === 0) && this.#fits(bytes, slack)) {
      this.#taken += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        this.#complain();
        reject(new FsError("ENOSPC", "Cannot write: no room in the spool"));
        // the next in line may ask for less
        this.#admit();
      }, this.#waitMs());
      const waiter: Waiter = { bytes, slack, timer, resolve };
      this.#waiters.add(waiter);
      this.#watch();
    });
  }

  // room is made by uploads: a caller's thread is not held up for each write of a long outage
  #waitMs(): number {
    const { waitMs, failingSinceMs } = this.#options;
    const awayMs = Date.now() - (failingSinceMs() ?? Infinity);
    return Math.max(0, waitMs - Math.max(0, awayMs));
  }

  /** First come, first served: a large write is not starved by small ones. What is written already holds nobody up. */
  #admit(): void {
    let isHeld = false;
    for (const waiter of this.#waiters) {
      if (waiter.slack === 0 && isHeld) continue;
      if (!this.#fits(waiter.bytes, waiter.slack)) {
        isHeld ||= waiter.slack === 0;
        continue;
      }
      this.#isShort = false;
      this.#taken += waiter.bytes;
      this.#waiters.delete(waiter);
      clearTimeout(waiter.timer);
      waiter.resolve();
    }
  }

  /** Once until someone who waited got room. */
  #complain(): void {
    if (this.#isShort) return;
    this.#isShort = true;
    log.warn(
      "No room for what is written: %d of %d bytes of the spool are used, %d are free on its disk (min_free %d)",
      this.used,
      this.#options.limitBytes,
      this.#free,
      this.#minFree,
    );
  }

  #watch(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      // also once after the last use: what was taken since is in the closed files now; never rejects
      void this.sample();
      if (this.#users > 0 || this.#waiters.size > 0) this.#watch();
    }, SAMPLE_MS);
    this.#timer.unref();
  }

  async #sample(): Promise<void> {
    const takenBefore = this.#taken;
    try {
      const disk = await statfs(this.#options.directory);
      this.#free = disk.bavail * disk.bsize;
      this.#total = disk.blocks * disk.bsize;
    } catch {
      // the old numbers go on
    }
    const { minFree } = this.#options;
    this.#minFree = "bytes" in minFree ? minFree.bytes : minFree.fraction * this.#total;
    // in one turn: a file that is opened or closed meanwhile counts once
    this.#open = this.#options.openBytes();
    this.#taken -= takenBefore;
    this.#admit();
    this.#watchGrowth();
  }

  /** The kernel writes without asking, and its writers hear of it at close(2): whoever runs the host is told before. */
  #watchGrowth(): void {
    if (this.#fits(0, 0)) this.#isOutgrown = false;
    if (this.#isOutgrown || this.#fits(0, this.#reserve)) return;
    this.#isOutgrown = true;
    log.warn(
      "Files that are being written have outgrown the spool: %d of %d bytes are used, %d are free on its disk (min_free %d)",
      this.used,
      this.#options.limitBytes,
      this.#free,
      this.#minFree,
    );
  }
}
