// The seam of the state folder: one mount's names, local attributes and pending work, durable where promised.
import type { LocalAttributes, NameChange, NamespaceEntry } from "./namespace-entry.ts";
import type { QueueRecord } from "./queue-record.ts";
import type { RemovedChange, RemovedObjects } from "./removed-object.ts";

export type { RemovedObject, RemovedObjects } from "./removed-object.ts";

/** Ino of the mount's root directory; its entry is that of name "" in parent 0. */
export const ROOT_INO = 1;

/** One atomic step. All parts become durable together, in the order of the mutate() calls. */
export interface StateChange {
  readonly names?: readonly NameChange[];
  /** Local attributes by path; undefined removes. */
  readonly attributes?: readonly { path: string; attributes: LocalAttributes | undefined }[];
  /** Local attributes of `from` and all below it go to `to`. */
  readonly moveAttributes?: readonly { from: string; to: string }[];
  readonly enqueue?: readonly { seq: number; record: QueueRecord }[];
  readonly dequeue?: readonly number[];
  /** Objects that stay in the bucket for a while though their names are gone. */
  readonly removed?: readonly RemovedChange[];
}

/** Keys after `after`, up to and with `end`, less the mount's prefix and in bytewise order; absent bounds are open. */
export interface KeyRange {
  readonly after?: string;
  readonly end?: string;
}

/** How far a crawl has come. */
export interface CrawlPosition {
  /** Ms since the epoch. */
  readonly startedMs: number;
  /** Objects seen so far. */
  readonly listed: number;
  /** What is left to list. */
  readonly ranges: readonly KeyRange[];
  /** Of `unknown`: the directories that are known once this crawl is done. */
  readonly settles: readonly number[];
  /** Paths that can only be judged when everything was listed. */
  readonly undecided: readonly string[];
}

/** How much of the bucket the names cover. */
export interface NameCoverage {
  /** Every name below the prefix is known, but in the directories of `unknown`. */
  readonly complete: boolean;
  /** Ms since the epoch at which that was found out. */
  readonly sinceMs?: number;
  /** Inos of directories in which S3 told something else. */
  readonly unknown: readonly number[];
  readonly crawl?: CrawlPosition;
}

/** Changes of names that stay in memory because the index cannot be written. */
export interface NameBacklog {
  readonly changes: number;
  readonly reason: string;
  /** So many that nothing should be added. */
  readonly isFull: boolean;
}

/**
 * Names are read synchronously (about 2 us). A change is visible to readers when the call returns and durable when its
 * promise resolves; LMDB commits are grouped over concurrent callers and run off the main thread.
 */
export interface MountState {
  get(parent: number, name: string): NamespaceEntry | undefined;
  /** Children (behind the name `after`) in bytewise order of their names; sees changes made before the iteration began. */
  children(
    parent: number,
    after?: string,
  ): Iterable<readonly [name: string, entry: NamespaceEntry]>;
  hasChildren(parent: number): boolean;

  /** Durable: fsynced when it resolves. Rejects with FsError (ENOSPC, EIO); the names are then as before. */
  mutate(change: StateChange): Promise<void>;
  /** What a listing or a HEAD taught: kept over restarts, not durable, never awaited; not for `local` names. */
  learn(names: readonly NameChange[]): void;
  /** Resolves when few names wait to be written to the index; undefined: so it is. */
  room(): Promise<void> | undefined;

  /** Undefined while the index can be written. */
  readonly backlog: NameBacklog | undefined;

  /** Undefined: nothing is promised. */
  readonly coverage: NameCoverage | undefined;
  /** On disk it is never ahead of names that were given before, and it is lost when the index is; never awaited. */
  cover(coverage: NameCoverage | undefined): void;

  localAttributes(path: string): LocalAttributes | undefined;
  nextIno(): number;
  nextSeq(): number;
  /** Pending work in order of seq, as found at start. */
  pending(): Iterable<{ seq: number; record: QueueRecord }>;

  /** Objects that stay for a while though their names are gone. */
  readonly removed: RemovedObjects;

  /** True when names from before a crash of the host had to be thrown away and only local ones are left. */
  readonly rebuilt: boolean;

  /** Resolves when everything accepted so far is on disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
