// What `pailfs queue` asks of a mount. Plain JSON: it travels over the control socket and out with --json.

/** One piece of pending work, or one quarantined file. */
export interface QueueItem {
  /** A number, or for quarantined files their name; stays the same over restarts. */
  readonly id: string;
  /**
   * `open`: a program still writes the file. `failing`: S3 or the network. `refused`: S3 refuses this key while others
   * work. `lost`: the staged bytes are not what was promised. `quarantined`: bytes set aside, no work any more.
   */
  readonly state: "waiting" | "open" | "running" | "failing" | "refused" | "lost" | "quarantined";
  readonly kind: "put" | "copy" | "delete" | "describe";
  readonly key?: string;
  /** Where a copy comes from. */
  readonly from?: string;
  readonly bytes?: number;
  /** Ms since the epoch: when it began to fail, else when this run of the daemon first knew of it. */
  readonly sinceMs?: number;
  readonly attempts?: number;
  readonly reason?: string;
}

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
