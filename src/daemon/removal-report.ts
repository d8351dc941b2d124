// What `pailfs undelete` and `pailfs flush --deletes` ask of a mount. Plain JSON: it travels over the control socket.

/** A removed name whose object is still there; times in ms since the epoch. */
export interface RemovedName {
  readonly path: string;
  /** Absent when only S3 can tell. */
  readonly bytes?: number;
  readonly removedMs: number;
  /** From when on the object may be deleted. */
  readonly notBefore: number;
}

/** A part of the list; `next` is what to ask for to go on. */
export interface RemovedPage {
  readonly items: readonly RemovedName[];
  readonly next?: string;
}

export interface UndeleteReport {
  readonly restored: number;
  /** Names that stay removed, with the reason; the first of them only when there are many. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
  readonly refusedCount: number;
}

/** What an operator may do about delayed deletes; paths are those of the mount, "/" is all. */
export interface RemovalControl {
  /** At most `limit` names at and below `path`, behind the path `after` ("": from the first). */
  list(path: string, after: string, limit: number): readonly RemovedName[];
  /** Brings back what was removed at `sinceMs` or later, durably. */
  undelete(paths: readonly string[], sinceMs: number): Promise<UndeleteReport>;
  /** Ends the delay; resolves to how many objects that were, when they are gone. */
  expire(paths: readonly string[]): Promise<number>;
}
