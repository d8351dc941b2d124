// Uploads wait a moment for what programs do next: rename what they wrote, or give it its attributes.
import type { UploadQueue } from "../../spool/spool.ts";

/**
 * How long an upload waits: programs that write under a temporary name (rsync, editors) rename it within milliseconds of
 * close(2), and then it costs one PUT instead of PUT, COPY and DELETE; so do attributes that are set after mkdir(2).
 */
export const LINGER_MS = 100;

/** Holds the upload of a staged file for LINGER_MS. */
export function linger(queue: Pick<UploadQueue, "hold" | "unhold">, staged: string): void {
  queue.hold(staged);
  setTimeout(() => void queue.unhold(staged), LINGER_MS).unref();
}

/** Files that were closed: their uploads, held since they were opened, begin after a while. */
export class LingeringFiles {
  readonly #queue: Pick<UploadQueue, "unhold">;
  readonly #delayMs: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `delayMs` is raised to LINGER_MS. */
  constructor(queue: Pick<UploadQueue, "unhold">, delayMs: number) {
    this.#queue = queue;
    this.#delayMs = Math.max(LINGER_MS, delayMs);
  }

  /** Gives back one hold of the staged file, later. */
  release(staged: string): void {
    // opened and closed again meanwhile: one hold each
    if (this.#timers.has(staged)) this.#end(staged);
    this.#timers.set(staged, setTimeout(() => this.#end(staged), this.#delayMs).unref());
  }

  /** Gives back all holds now: somebody waits for the bucket. */
  releaseAll(): void {
    for (const staged of this.#timers.keys()) this.#end(staged);
  }

  #end(staged: string): void {
    clearTimeout(this.#timers.get(staged));
    this.#timers.delete(staged);
    // its promise never rejects
    void this.#queue.unhold(staged);
  }
}
