// The seam of the spool: staged files on the local disk, and the queue that turns them into objects.
import type { StateChange } from "../state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../state/namespace-entry.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import type { RemovedChange, RemovedObject } from "../state/removed-object.ts";

/** A plain local file that will become an object: its bytes at offset n are the object's byte n. Shared by its users. */
export interface StagedFile {
  readonly id: string;
  /** Open for reading and writing while in use. */
  readonly fd: number;
  /** fstat(2) of the file now (it may grow by FUSE passthrough, unseen by us); synchronous, takes microseconds. */
  stat(): { size: number; mtimeNs: bigint; blocks: number };
  /** At most `length` bytes at `offset`; short only at end of file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `data`; waits for room below the spool's limits, then rejects with ENOSPC. */
  write(offset: number, data: Uint8Array): Promise<void>;
  truncate(size: number): Promise<void>;
  /** fallocate(2); rejects with EOPNOTSUPP where it cannot be done. */
  allocate(mode: number, offset: number, length: number): Promise<void>;
  /** Offset of the next data (3) or hole (4); rejects with ENXIO at or after the end. */
  seek(offset: number, whence: number): Promise<number>;
  /** fdatasync of the bytes and, once, fsync of the directory entry. */
  sync(): Promise<void>;
  /** Ends one use; the descriptor closes with the last one. Never throws. */
  release(): void;
}

/** Staged files; each open() or create() is one use. */
export interface Spool {
  create(): Promise<StagedFile>;
  /** Rejects with EIO when the file is gone. */
  open(id: string): Promise<StagedFile>;
  /** A new staged file with the bytes of `from` as they are now: a reflink where the disk can, else a copy. */
  copy(from: StagedFile): Promise<StagedFile>;
  /** Deletes the file when no record refers to it any more; open uses keep their descriptor. Never throws. */
  discard(id: string): void;
  /**
   * Of a file that the kernel writes to by itself: undefined while the spool is within its limits, else resolves when it
   * is again and rejects with ENOSPC when that takes too long.
   */
  settleRoom(file: StagedFile): Promise<void> | undefined;
  /** Whether enough room is left to hand descriptors to the kernel for writing (passthrough writes cannot be held back). */
  roomy(): boolean;
}

/** What the queue is told when it makes a plan. */
export interface PutPlan {
  readonly key: string;
  readonly staged: string;
  /** Bytes as of the close or fsync that is being acknowledged. */
  readonly size: number;
  /** Whether the bucket may hold an object at `key` now, as far as the namespace knows. */
  readonly inBucket: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** One version of one object; `size` in bytes. */
export interface ObjectVersionAt extends ObjectPlace {
  readonly size: number;
}

/**
 * Changes to the queue that become true together with one StateChange. Methods take effect on later plans at once; the
 * S3 work starts after commit(). Exactly one of commit() and rollback() must follow.
 */
export interface QueuePlan {
  /** The staged file becomes the object at `key`. A waiting upload or delete of that key is replaced. */
  put(put: PutPlan): void;
  /**
   * `key` is to be gone. A waiting upload is cancelled; no request when the bucket then has nothing there. `was`: a
   * program removed this name, so that the object stays for the delete delay and can be brought back.
   */
  delete(key: string, inBucket: boolean, was?: NamespaceEntry): void;
  /** Brings a removed object back; returns where its bytes are, if not at its own key. */
  restore(key: string): Pick<NamespaceEntry, "staged" | "key" | "etag">;
  /** The object version at `from` moves to `to` by copy + delete; `inBucket` and `metadata` (else the source's) as in PutPlan. */
  move(from: ObjectVersionAt, to: Pick<PutPlan, "key" | "inBucket" | "metadata">): void;
  /**
   * The object that is at `object.key` once what is queued has run gets this metadata; other metadata stays. A waiting
   * upload takes it along, a waiting change is replaced.
   */
  describe(object: ObjectVersionAt, metadata: Readonly<Record<string, string>>): void;
  /** Withdraws the waiting upload of this staged file to `key` (its caller was told that it failed): the bucket keeps what it has. */
  cancel(key: string, staged: string): void;
  /** For StateChange.enqueue and .dequeue; read them when all calls above were made, in the same turn as MountState.mutate(). */
  readonly enqueue: readonly { seq: number; record: QueueRecord }[];
  readonly dequeue: readonly number[];
  /** For StateChange.removed; as `enqueue`. */
  readonly removed: readonly RemovedChange[];
  /** The change is durable: work may start, staged files that lost their last record are deleted. */
  commit(): void;
  rollback(): void;
}

/** One version of one object. */
export interface ObjectPlace {
  readonly key: string;
  readonly etag: string;
}

type NameChanges = readonly NameChange[];

/** How the file system core takes part in the queue's work. `settled`: nothing else is queued for the written key. */
export interface QueueEvents {
  /** The object is in the bucket: the names to change in the same transaction that drops the record. Must not throw. */
  uploaded(record: QueueRecord & { kind: "put" }, etag: string, settled: boolean): NameChanges;
  copied(record: QueueRecord & { kind: "copy" }, etag: string, settled: boolean): NameChanges;
  /** The object has its new metadata; `etag` undefined: it was replaced or removed by someone else before. */
  described(
    record: QueueRecord & { kind: "describe" },
    etag: string | undefined,
    settled: boolean,
  ): NameChanges;
  /** The local attributes that leave in the same transaction, since nothing but the object at the record's key is to tell them now. */
  settledAttributes(record: QueueRecord): StateChange["attributes"];
  /**
   * `was.key` is about to be overwritten, and a copy saved what it held under `now`: a name with key `to` whose entry says
   * that its bytes are at `was` (key and etag; `was.key` may be the name's own key) has them at `now` from here on. A name
   * that says otherwise is left alone.
   */
  relocated(to: string, was: ObjectPlace, now: ObjectPlace): readonly NameChange[];
  /** The source of a rename was replaced or removed by someone else before it was copied. */
  copyFailed(record: QueueRecord & { kind: "copy" }, reason: Error): readonly NameChange[];
  /** The work was given up: the names that stand for what the bucket has from here on. Must not throw. */
  discarded(record: QueueRecord): Pick<StateChange, "names" | "attributes">;
  /** The object is gone; a listing that began before may still show it. */
  deleted(key: string): void;
  /** Called before the object at `key` is overwritten or deleted: resolves when open readers no longer need it. */
  beforeReplace(key: string): Promise<void>;
}

/** The queue that makes the bucket follow the namespace: order is kept per key, work on different keys runs side by side, retries never end. */
export interface UploadQueue {
  plan(): QueuePlan;
  /**
   * Whether a waiting or running operation will write (`put`, `copy`, `describe`) or remove (`delete`) `key`: the last one
   * queued; undefined: none. `delete` too of an object whose delete is delayed, but for another version than `etag`.
   */
  fate(key: string, etag?: string): QueueRecord["kind"] | undefined;
  /** Whether a queued or delayed delete is of a key that starts with `prefix`; costs a look at every queued key. */
  removesBelow(prefix: string): boolean;
  /** Whether a delayed delete is of a key that starts with `prefix`. */
  delaysBelow(prefix: string): boolean;
  /** Ends the delay of these deletes; resolves when the objects are gone, or are other ones by now. */
  expire(removed: readonly RemovedObject[]): Promise<void>;
  /** Resolves when no operation on `key` is running (waiting ones do not count). */
  idle(key: string): Promise<void>;
  /**
   * Keeps an upload of this staged file from starting (writable descriptors are open); counted. A hold taken while the
   * upload runs does not stop it, but the file is then neither adopted by the cache nor deleted before the last unhold().
   */
  hold(staged: string): void;
  /** Returns a promise while the file, uploaded before, becomes cache content; it never rejects. */
  unhold(staged: string): Promise<void> | undefined;
  /** Resolves when all work on `key` queued so far is done; rejects with FsError when it failed for now (after the S3 deadline), the work stays queued. */
  settled(key: string): Promise<void>;
  /** Everything queued so far, or below `prefix`. */
  drained(prefix?: string): Promise<void>;
  status(): QueueStatus;
  /** Starts work found at start and accepts events. */
  start(events: QueueEvents): void;
  /** Stops starting work; what is under way is aborted and stays queued. */
  stop(): Promise<void>;
}

export interface QueueStatus {
  readonly pending: number;
  readonly pendingBytes: number;
  readonly running: number;
  /** Operations that S3 refuses while others succeed, or whose bytes are lost: only a person can help. */
  readonly stuck: number;
  /** Ms since the epoch at which the oldest unfinished record was queued, if there is one. */
  readonly oldestMs?: number;
  readonly lastError?: { readonly key: string; readonly message: string; readonly sinceMs: number };
  /** Delayed deletes, which are not `pending`: how many, the bytes where the size is known, and when the first is due. */
  readonly delayed: { readonly count: number; readonly bytes: number; readonly dueMs?: number };
  /** Present while many names were removed in a short time, and until that is undone or done. */
  readonly burst?: DeleteBurst;
}

/** Many names removed in a short time; times in ms since the epoch. */
export interface DeleteBurst {
  readonly count: number;
  readonly sinceMs: number;
  readonly lastMs: number;
  /** The first keys. */
  readonly first: readonly string[];
}
