// What `pailfs queue` asks of a mount. Plain JSON: it travels over the control socket and out with --json.
import type { QueueItem } from "../spool/queue-item.ts";

/** A part of the list; `next` is what to ask for to go on. */
export interface QueuePage {
  readonly items: readonly QueueItem[];
  readonly next?: string;
}

/** Bytes that can be read at `path` as long as whoever asked stays connected. */
export interface ExportedBytes {
  readonly path: string;
  readonly size: number;
  readonly key?: string;
}

/** What an operator may do about pending work and quarantined files; all reject with FsError ENOENT for an unknown id. */
export interface QueueControl {
  /** From `after` (an id of before, "" for the start) on; `all`: also what is in no trouble. */
  list(after: string, all: boolean): AsyncIterable<QueueItem>;
  /** Tries these, or with none all that is stuck, at once; returns how many. */
  retry(ids: readonly string[]): number;
  /** Keeps the bytes where they are until `signal` fires. */
  export(id: string, signal: AbortSignal): Promise<ExportedBytes>;
  /** Gives up work or deletes quarantined bytes, for good. */
  discard(id: string): Promise<void>;
}
