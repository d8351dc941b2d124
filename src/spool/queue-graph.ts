// The order of pending work.
import type { QueueRecord } from "../state/queue-record.ts";
import type { RemovedObject } from "../state/removed-object.ts";
import {
  isCopyFrom,
  isCopyOnto,
  keysOf,
  type Operation,
  type PlanMark,
  targetOf,
} from "./operation.ts";

export interface NewOperation {
  readonly seq: number;
  readonly record: QueueRecord;
  readonly over: boolean;
  readonly afterDelete?: boolean;
  readonly replaces?: RemovedObject | undefined;
  readonly plan?: PlanMark;
}

/**
 * Each key has a lane: the operations that touch it, oldest first. A copy stands in two lanes. An operation may run when
 * it is first in all its lanes. New ones only ever join at the end of all their lanes, with a higher seq than all before
 * them, so there is no cycle, and adding the durable records again in order of seq gives the same lanes.
 *
 * A cancelled operation keeps its place until its canceller is durable: what comes behind it might otherwise destroy what
 * a rollback needs (the source of a copy).
 */
export class QueueGraph {
  readonly #operations = new Map<number, Operation>();
  readonly #lanes = new Map<string, Operation[]>();
  #bytes = 0;

  get size(): number {
    return this.#operations.size;
  }

  /** Sum over the sizes of all uploads. */
  get bytes(): number {
    return this.#bytes;
  }

  get(seq: number): Operation | undefined {
    return this.#operations.get(seq);
  }

  operations(): IterableIterator<Operation> {
    return this.#operations.values();
  }

  lane(key: string): readonly Operation[] {
    return this.#lanes.get(key) ?? noOperations;
  }

  add({ seq, record, over, afterDelete = false, replaces, plan }: NewOperation): Operation {
    const operation: Operation = {
      seq,
      record,
      over,
      afterDelete,
      replaces,
      since: record.queuedMs ?? Date.now(),
      plan,
      cancelledBy: undefined,
      running: false,
      removed: false,
    };
    this.#operations.set(seq, operation);
    for (const key of keysOf(record)) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) this.#lanes.set(key, [operation]);
      else lane.push(operation);
    }
    if (record.kind === "put") this.#bytes += record.size;
    return operation;
  }

  /** Takes an operation out; others may be ready then. */
  remove(operation: Operation): void {
    operation.removed = true;
    this.#operations.delete(operation.seq);
    for (const key of keysOf(operation.record)) {
      const lane = this.#lanes.get(key);
      if (lane === undefined) continue;
      lane.splice(lane.indexOf(operation), 1);
      if (lane.length === 0) this.#lanes.delete(key);
    }
    if (operation.record.kind === "put") this.#bytes -= operation.record.size;
  }

  /** Whether anything on `key` is under way. */
  isRunning(key: string): boolean {
    return this.lane(key).some((operation) => operation.running);
  }

  /** Committed, not cancelled, not running, and nothing before it on any of its keys. */
  isReady(operation: Operation): boolean {
    if (operation.removed || operation.running) return false;
    if (operation.plan !== undefined || operation.cancelledBy !== undefined) return false;
    return keysOf(operation.record).every((key) => this.lane(key)[0] === operation);
  }

  /** First operations of these lanes. */
  heads(keys: readonly string[]): Operation[] {
    return keys.flatMap((key) => this.lane(key)[0] ?? []);
  }

  /** The last operation of a lane that is not cancelled. */
  last(key: string): Operation | undefined {
    return this.lane(key).findLast(isLive);
  }

  /** Every key that an operation touches. */
  keys(): Iterable<string> {
    return this.#lanes.keys();
  }

  /** The last operation that writes or removes `key`. */
  fate(key: string): Operation | undefined {
    return this.lane(key).findLast(
      (operation) => isLive(operation) && targetOf(operation.record) === key,
    );
  }

  /** The last operation that gives `key` other bytes, or none. */
  content(key: string): Operation | undefined {
    return this.lane(key).findLast(
      (operation) =>
        isLive(operation) &&
        operation.record.kind !== "describe" &&
        targetOf(operation.record) === key,
    );
  }

  /** Whether a later copy overwrites the source of `copy`, so that its target will be the only place that has the bytes. */
  isLastChance(copy: Operation): boolean {
    if (copy.record.kind !== "copy") return false;
    const { from } = copy.record;
    const lane = this.lane(from);
    return lane
      .slice(lane.indexOf(copy) + 1)
      .some((later) => isLive(later) && isCopyOnto(later, from));
  }

  /**
   * The key that will hold, once all that is queued has run, the version that `key` holds now. It is another key when a
   * copy onto `key` waits: then an earlier copy that still waits saves the version first, and that one's target holds it.
   */
  holder(key: string): string {
    let at = key;
    let saved: Operation | undefined;
    for (;;) {
      const lane = this.lane(at).filter(isLive);
      const later = saved === undefined ? lane : lane.slice(lane.indexOf(saved) + 1);
      const end = later.findIndex((operation) => !operation.running && isCopyOnto(operation, at));
      if (end < 0) return at;
      const save = later.slice(0, end).findLast((operation) => isCopyFrom(operation, at));
      if (save?.record.kind !== "copy") return at;
      saved = save;
      at = save.record.to;
    }
  }

  /**
   * Whether other bytes come to the written key, or it is to go. A name that came back while its first upload ran is uploaded
   * twice: it must not count as an object before the second is done.
   */
  isOverwritten(operation: Operation): boolean {
    const key = targetOf(operation.record);
    const lane = this.lane(key);
    const later = lane.slice(lane.indexOf(operation) + 1).filter(isLive);
    return later.some(({ record }) => targetOf(record) === key && record.kind !== "describe");
  }

  /** Copies that wait to read what `written` leaves at its key. */
  readersOf(written: Operation): Operation[] {
    const key = targetOf(written.record);
    return this.#followersOf(written).filter((operation) => isCopyFrom(operation, key));
  }

  /** Changes of metadata that wait for what `written` leaves at its key. */
  describersOf(written: Operation): Operation[] {
    return this.#followersOf(written).filter(({ record }) => record.kind === "describe");
  }

  /** Whether nobody needs a change of metadata any more: other bytes come to its key, and nothing reads it before. */
  isVain(operation: Operation): boolean {
    if (operation.record.kind !== "describe") return false;
    const { key } = operation.record;
    const lane = this.lane(key);
    const next = lane.slice(lane.indexOf(operation) + 1).find(isLive);
    // of a plan that may fail: then the change is needed again
    if (next === undefined || next.plan !== undefined) return false;
    return targetOf(next.record) === key && next.record.kind !== "describe";
  }

  /** What comes in the lane of the written key before other bytes are there. */
  #followersOf(written: Operation): Operation[] {
    const key = targetOf(written.record);
    const lane = this.lane(key);
    const later = lane.slice(lane.indexOf(written) + 1).filter(isLive);
    const end = later.findIndex(
      ({ record }) => targetOf(record) === key && record.kind !== "describe",
    );
    return later.slice(0, end < 0 ? later.length : end);
  }
}

const noOperations: readonly Operation[] = [];

export function isLive(operation: Operation): boolean {
  return operation.cancelledBy === undefined;
}
