// A MountState in memory: its journal is what would be found after a crash.
import { FsError } from "../../../src/posix/errno.ts";
import type { MountState, StateChange } from "../../../src/state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../../../src/state/namespace-entry.ts";
import type { QueueRecord } from "../../../src/state/queue-record.ts";
import type { RemovedObjects } from "../../../src/state/removed-object.ts";

// nothing is delayed
export const noRemoved: RemovedObjects = {
  count: 0,
  bytes: 0,
  get: () => undefined,
  anyBelow: () => false,
  list: () => [],
  earliest: () => [],
  latest: () => undefined,
};

/** What a plan wants of a host that delays nothing. */
export const withoutDelay = { removed: noRemoved, deleteDelayMs: 0, unlinked: () => undefined };

/** Only what the queue uses; names are counted, not kept. */
export class MemoryState implements MountState {
  readonly backlog = undefined;
  readonly rebuilt = false;
  readonly removed = noRemoved;
  readonly journal: Map<number, QueueRecord>;
  readonly changes: StateChange[] = [];
  /** Called before a change becomes durable; rejects to make it fail. */
  before: (change: StateChange) => Promise<void> | void = () => undefined;
  #seq: number;
  #last: Promise<void> = Promise.resolve();

  constructor(journal: ReadonlyMap<number, QueueRecord> = new Map()) {
    this.journal = new Map([...journal].sort(([a], [b]) => a - b));
    this.#seq = Math.max(0, ...this.journal.keys()) + 1;
  }

  mutate(change: StateChange): Promise<void> {
    const done = this.#last.then(async () => {
      await this.before(change);
      for (const { seq, record } of change.enqueue ?? []) this.journal.set(seq, record);
      for (const seq of change.dequeue ?? []) this.journal.delete(seq);
      this.changes.push(change);
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  nextSeq(): number {
    return this.#seq++;
  }

  pending(): Iterable<{ seq: number; record: QueueRecord }> {
    return [...this.journal].sort(([a], [b]) => a - b).map(([seq, record]) => ({ seq, record }));
  }

  get(): NamespaceEntry | undefined {
    throw new FsError("ENOSYS", "not used");
  }

  children(): Iterable<readonly [name: string, entry: NamespaceEntry]> {
    return [];
  }

  hasChildren(): boolean {
    return false;
  }

  learn(_names: readonly NameChange[]): void {
    // not used
  }

  room(): undefined {
    return undefined;
  }

  readonly coverage = undefined;

  cover(): void {
    // not used
  }

  localAttributes(): undefined {
    return undefined;
  }

  nextIno(): number {
    return 2;
  }

  sync(): Promise<void> {
    return this.#last;
  }

  close(): Promise<void> {
    return this.#last;
  }
}
