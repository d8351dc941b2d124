// Notices when many names are removed in a short time: a cleaning tool that was pointed at the mount, most likely.
import { log } from "../log.ts";
import type { DeleteBurst } from "./spool.ts";

const WINDOW_MS = 600_000;
/** The window is counted in parts, of which the oldest goes as a whole. */
const PART_MS = 30_000;
const FIRST = 3;

/** What a burst is told with. */
export interface BurstHost {
  /** From how many names within the window on; 0: never. */
  readonly threshold: number;
  readonly delayMs: number;
  /** Objects whose delete is delayed now. */
  delayed(): number;
}

interface Part {
  readonly at: number;
  count: number;
}

export class BurstWatch {
  readonly #host: BurstHost;
  readonly #now: () => number;
  #parts: Part[] = [];
  #count = 0;
  #first: string[] = [];
  #burst: { count: number; sinceMs: number; lastMs: number; first: readonly string[] } | undefined;

  /** `now` in ms since the epoch. */
  constructor(host: BurstHost, now: () => number = Date.now) {
    this.#host = host;
    this.#now = now;
  }

  /** Names whose objects were at these keys are removed. */
  note(keys: readonly string[]): void {
    const { threshold } = this.#host;
    if (threshold === 0 || keys.length === 0) return;
    const now = this.#now();
    this.#forget(now);
    const last = this.#parts.at(-1);
    if (last !== undefined && now - last.at < PART_MS) last.count += keys.length;
    else this.#parts.push({ at: now, count: keys.length });
    this.#count += keys.length;
    if (this.#first.length < FIRST) this.#first.push(...keys.slice(0, FIRST - this.#first.length));
    if (this.#burst !== undefined) {
      this.#burst.count += keys.length;
      this.#burst.lastMs = now;
    } else if (this.#count > threshold) {
      const sinceMs = this.#parts[0]?.at ?? now;
      this.#burst = { count: this.#count, sinceMs, lastMs: now, first: [...this.#first] };
      this.#tell(this.#burst);
    }
  }

  /** What an earlier run left, of which only the number is known. */
  found(count: number, removedMs: number): void {
    const { threshold } = this.#host;
    if (threshold === 0 || count <= threshold) return;
    this.#burst = { count, sinceMs: removedMs, lastMs: removedMs, first: [] };
    log.warn(
      "The deletes of %d removed files are delayed, more than delete_burst=%d: pailfs undelete brings them back",
      count,
      threshold,
    );
  }

  /** Undefined when there is none, or when it is undone or done. */
  get burst(): DeleteBurst | undefined {
    this.#forget(this.#now());
    if (this.#burst === undefined) return undefined;
    const isOver = this.#parts.length === 0 || this.#host.delayMs > 0;
    if (isOver && this.#host.delayed() === 0) {
      this.#burst = undefined;
      this.#parts = [];
      this.#count = 0;
      this.#first = [];
    }
    return this.#burst;
  }

  #tell({ count, first }: DeleteBurst): void {
    const names = first.map((key) => JSON.stringify(key)).join(", ");
    const remedy =
      this.#host.delayMs > 0
        ? "their objects stay for delete_delay; to bring them back: pailfs undelete MOUNTPOINT --all"
        : "this cannot be undone, as delete_delay is 0";
    log.warn("%d files were removed within minutes, first %s: %s", count, names, remedy);
  }

  #forget(now: number): void {
    for (let oldest = this.#parts[0]; oldest !== undefined; oldest = this.#parts[0]) {
      // a clock that was set back makes parts of the future
      if (now - oldest.at < WINDOW_MS && oldest.at <= now) return;
      this.#parts.shift();
      this.#count -= oldest.count;
    }
    this.#first = [];
    // told once: what is removed after a quiet time is another burst
    if (this.#burst !== undefined && this.#host.delayed() === 0) this.#burst = undefined;
  }
}
