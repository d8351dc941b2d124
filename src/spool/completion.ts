// What becomes true together with the end of an operation.
import { setTimeout as sleep } from "node:timers/promises";
import { log } from "../log.ts";
import type { MountState, StateChange } from "../state/mount-state.ts";
import type { NameChange } from "../state/namespace-entry.ts";
import type { CopyRecord, QueueRecord } from "../state/queue-record.ts";
import { type Operation, targetOf } from "./operation.ts";
import type { Outcome } from "./operation-runner.ts";
import { isLive, type QueueGraph } from "./queue-graph.ts";
import type { QueueEvents } from "./spool.ts";

/** The operation's record goes, names change, and other operations hear of it. */
export interface Completion {
  readonly change: StateChange;
  /** An operation that has lost its purpose. */
  readonly dropped?: Operation;
}

export type DoneOutcome = Exclude<Outcome, { kind: "unpublishable" }>;

/** Asks the file system core for the names to change; to be called again when the change could not be made. */
export function completionOf(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  outcome: DoneOutcome,
): Completion {
  const { seq, record } = operation;
  if (record.kind === "put" && outcome.kind === "uploaded") {
    const names = isLastWrite(graph, operation) ? events.uploaded(record, outcome.etag) : [];
    return { change: { dequeue: [seq], names } };
  }
  if (record.kind === "copy" && outcome.kind === "copied") {
    return { change: copied(graph, events, operation, record, outcome) };
  }
  if (record.kind === "copy" && outcome.kind === "copyFailed") {
    // what is at the source now is not ours to delete
    const dropped = deleteAfter(graph, operation, record);
    const dequeue = dropped === undefined ? [seq] : [seq, dropped.seq];
    const names = events.copyFailed(record, outcome.reason);
    return { change: { dequeue, names }, ...(dropped === undefined ? {} : { dropped }) };
  }
  if (outcome.kind === "notOurs") {
    log.warn(
      "The object %j was replaced while it was renamed in the bucket: it stays",
      targetOf(record),
    );
  } else if (record.kind === "delete") events.deleted(record.key);
  return { change: { dequeue: [seq] } };
}

/** After a journal that could not be written, doubled each time up to the second. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Makes a completion durable, however long that takes; asks for it anew each time. Resolves to operations that go with
 * it, or to undefined when it was given up because of `signal`.
 */
export async function writeCompletion(
  state: MountState,
  complete: () => Completion | undefined,
  signal: AbortSignal,
): Promise<readonly Operation[] | undefined> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const completion = complete();
    if (completion === undefined) return undefined;
    try {
      await state.mutate(completion.change);
      return completion.dropped === undefined ? [] : [completion.dropped];
    } catch (error) {
      if (signal.aborted) return undefined;
      if (pauseMs === FIRST_PAUSE_MS) log.warn("Cannot record what was uploaded: %s", error);
      await pause(pauseMs, signal);
      if (signal.aborted) return undefined;
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort is looked at by the caller
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

function copied(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  record: CopyRecord,
  { etag, seenMs }: DoneOutcome & { kind: "copied" },
): StateChange {
  const names = isLastWrite(graph, operation) ? [...events.copied(record, etag)] : [];
  const enqueue: { seq: number; record: QueueRecord }[] = [];
  for (const reader of graph.readersOf(operation)) {
    if (reader.record.kind !== "copy") continue;
    // of a plan that is not durable yet, too: its change is before this one, and takes this one along if it fails
    reader.record = { ...reader.record, etag };
    enqueue.push({ seq: reader.seq, record: reader.record });
  }
  names.push(...relocations(graph, events, operation, record, etag));
  const next = deleteAfter(graph, operation, record);
  // "" where a store lists none
  if (next?.record.kind === "delete" && record.etag !== "") {
    next.record = { ...next.record, etag: record.etag };
    if (seenMs !== undefined) next.seenMs = seenMs;
    enqueue.push({ seq: next.seq, record: next.record });
  }
  return { dequeue: [operation.seq], names, enqueue };
}

/**
 * Whether nothing else is to happen to the written key. A name that came back while its first upload ran is uploaded
 * twice: it must not count as an object before the second is done.
 */
function isLastWrite(graph: QueueGraph, operation: Operation): boolean {
  const key = targetOf(operation.record);
  const lane = graph.lane(key);
  const later = lane.slice(lane.indexOf(operation) + 1).filter(isLive);
  return !later.some(({ record }) => targetOf(record) === key);
}

/** Names whose bytes go through the copy's target on their way to their own key. */
function relocations(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  record: CopyRecord,
  etag: string,
): NameChange[] {
  const was = { key: record.from, etag: record.etag };
  const now = { key: record.to, etag };
  const changes: NameChange[] = [];
  const readers = graph.readersOf(operation);
  for (const reader of readers) {
    if (reader.record.kind !== "copy") continue;
    changes.push(...events.relocated(reader.record.to, was, now));
    readers.push(...graph.readersOf(reader));
  }
  return changes;
}

function deleteAfter(
  graph: QueueGraph,
  operation: Operation,
  record: CopyRecord,
): Operation | undefined {
  const lane = graph.lane(record.from);
  const next = lane.slice(lane.indexOf(operation) + 1).find(isLive);
  return next?.record.kind === "delete" && next.plan === undefined ? next : undefined;
}
