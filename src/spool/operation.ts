// One piece of work in the queue: a durable record and where it stands in this run of the daemon.
import type { QueueRecord } from "../state/queue-record.ts";
import type { RemovedObject } from "../state/removed-object.ts";

/** Stands for a plan that is neither committed nor rolled back. */
export interface PlanMark {
  readonly open: boolean;
}

export interface Operation {
  readonly seq: number;
  /** Changes when an upload id or the etag of a copied source becomes known. */
  record: QueueRecord;
  /** When S3 last said that the record's version is at its key, by performance.now(). */
  seenMs?: number | undefined;
  /** Whether the bucket may hold an object at the written key already; from the first attempt on, its own. */
  over: boolean;
  /** Whether it took the place of a delete that was waiting. */
  readonly afterDelete: boolean;
  /** The removed object whose key it is to write: still there if it is cancelled. */
  readonly replaces: RemovedObject | undefined;
  /** Ms since the epoch at which it was queued, in whatever run of the daemon that was. */
  readonly since: number;
  /** The plan that made it, until that is committed. */
  plan: PlanMark | undefined;
  /** The plan that cancelled it; it still holds its place, so that nothing overtakes it before that plan is durable. */
  cancelledBy: PlanMark | undefined;
  /** Started, or done and not yet durably so. */
  running: boolean;
  removed: boolean;
}

/** The key an operation writes or deletes. */
export function targetOf(record: QueueRecord): string {
  return record.kind === "copy" ? record.to : record.key;
}

/** All keys an operation touches. */
export function keysOf(record: QueueRecord): readonly string[] {
  return record.kind === "copy" ? [record.from, record.to] : [record.key];
}

export function isCopyFrom(operation: Operation, key: string): boolean {
  return operation.record.kind === "copy" && operation.record.from === key;
}

export function isCopyOnto(operation: Operation, key: string): boolean {
  return operation.record.kind === "copy" && operation.record.to === key;
}

/** An attempt begins: even if it fails, the bucket may show its effect. */
export function begin(operation: Operation): void {
  operation.running = true;
  operation.over = true;
}
