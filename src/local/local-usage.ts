// How much lies in the local directory. The kernel writes to files unseen, so it is counted by looking.
import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { STAT_BLOCK } from "../posix/stat.ts";

/** What local_prefix keeps; bytes as du(1) counts them. */
export interface LocalStatus {
  readonly bytes: number;
  readonly files: number;
}

/** Between a change and the look at it. */
const SETTLE_MS = 1000;
/** A look takes at most one part in this many of the time. */
const IDLE_FACTOR = 20;

/** Counts at start, and again a while after changes. */
export class LocalUsage {
  readonly #root: string;
  #status: LocalStatus = { bytes: 0, files: 0 };
  #tookMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  constructor(root: string) {
    this.#root = root;
    this.#look();
  }

  /** As of the last look. */
  get status(): LocalStatus {
    return this.#status;
  }

  changed(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    const waitMs = Math.max(SETTLE_MS, this.#tookMs * IDLE_FACTOR);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, waitMs);
    this.#timer.unref();
  }

  /** Ends a look that is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #look(): void {
    if (this.#looking !== undefined) return this.changed();
    this.#looking = this.#count().finally(() => {
      this.#looking = undefined;
    });
  }

  async #count(): Promise<void> {
    const startMs = performance.now();
    const sum = { bytes: 0, files: 0 };
    await this.#add(this.#root, sum);
    this.#tookMs = performance.now() - startMs;
    if (!this.#isClosed) this.#status = sum;
  }

  async #add(directory: string, sum: { bytes: number; files: number }): Promise<void> {
    // what goes meanwhile is not counted
    const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
    for (const entry of entries) {
      if (this.#isClosed) return;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await this.#add(path, sum);
      const file = await lstat(path).catch(() => undefined);
      if (file === undefined) continue;
      sum.bytes += file.blocks * STAT_BLOCK;
      if (file.isFile()) sum.files += 1;
    }
  }
}
