// What becomes true together with the end of an operation.
import { setTimeout as sleep } from "node:timers/promises";
import { log } from "../log.ts";
import type { MountState, StateChange } from "../state/mount-state.ts";
import type { NameChange } from "../state/namespace-entry.ts";
import type { CopyRecord, QueueRecord } from "../state/queue-record.ts";
import type { RemovedChange, RemovedObjects } from "../state/removed-object.ts";
import { type Operation, targetOf } from "./operation.ts";
import type { Outcome } from "./operation-runner.ts";
import { isLive, type QueueGraph } from "./queue-graph.ts";
import type { ObjectPlace, QueueEvents } from "./spool.ts";

/** The operation's record goes, names change, and other operations hear of it. */
export interface Completion {
  readonly change: StateChange;
  /** An operation that has lost its purpose. */
  readonly dropped?: Operation;
}

export type DoneOutcome = Exclude<Outcome, { kind: "unpublishable" }>;

/** Asks the file system core for the names to change; to be called again when the change could not be made. */
export function completionOf(
  removed: Pick<RemovedObjects, "get">,
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  outcome: DoneOutcome,
): Completion {
  const completion = endOf(graph, events, operation, outcome);
  const told = graph.isOverwritten(operation)
    ? undefined
    : toldRemoved(removed, operation, outcome);
  return told ? { ...completion, change: { ...completion.change, removed: [told] } } : completion;
}

/** An object whose name was removed before it was made: now its version is known, or that it never will be. */
function toldRemoved(
  removed: Pick<RemovedObjects, "get">,
  { record: { kind }, record }: Operation,
  outcome: DoneOutcome,
): RemovedChange | undefined {
  const was = kind === "delete" ? undefined : removed.get(targetOf(record));
  if (was === undefined) return undefined;
  if (outcome.kind === "copyFailed") return { key: was.key, record: undefined };
  const etag = "etag" in outcome ? outcome.etag : undefined;
  if (etag === undefined || etag === "") return undefined;
  const entry = was.entry && { entry: { ...was.entry, etag } };
  return { key: was.key, record: { ...was, etag, ...entry } };
}

function endOf(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  outcome: DoneOutcome,
): Completion {
  const { seq, record } = operation;
  if (record.kind === "put" && outcome.kind === "uploaded") {
    const names = !graph.isOverwritten(operation)
      ? events.uploaded(record, outcome.etag, isSettled(graph, operation))
      : [];
    const enqueue = toldFollowers(graph, operation, outcome.etag);
    return { change: { dequeue: [seq], names, enqueue, ...settled(graph, events, operation) } };
  }
  if (record.kind === "copy" && outcome.kind === "copied") {
    const names = !graph.isOverwritten(operation)
      ? events.copied(record, outcome.etag, isSettled(graph, operation))
      : [];
    const was = { key: record.from, etag: record.etag };
    const change = written(graph, events, operation, { names, was, etag: outcome.etag });
    const told = toldDelete(graph, operation, record, outcome);
    return { change: { ...change, enqueue: [...(change.enqueue ?? []), ...told] } };
  }
  if (record.kind === "describe" && outcome.kind === "described") {
    const names = !graph.isOverwritten(operation)
      ? events.described(record, outcome.etag, isSettled(graph, operation))
      : [];
    if (outcome.etag === undefined) {
      return { change: { dequeue: [seq], names, ...settled(graph, events, operation) } };
    }
    const was = { key: record.key, etag: record.etag };
    return { change: written(graph, events, operation, { names, was, etag: outcome.etag }) };
  }
  if (record.kind === "copy" && outcome.kind === "copyFailed") {
    // what is at the source now is not ours to delete
    const dropped = deleteAfter(graph, operation, record);
    const dequeue = dropped === undefined ? [seq] : [seq, dropped.seq];
    const names = events.copyFailed(record, outcome.reason);
    return { change: { dequeue, names }, ...(dropped === undefined ? {} : { dropped }) };
  }
  if (outcome.kind === "notOurs") {
    const isRename = record.kind === "delete" && record.removedMs === undefined;
    const when = isRename
      ? "while it was renamed in the bucket"
      : "since its name was removed here";
    log.warn("The object %j was replaced %s: it stays", targetOf(record), when);
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
      if (pauseMs === FIRST_PAUSE_MS)
        log.warn("Cannot record what was uploaded: %s", reasonOf(error));
      await pause(pauseMs, signal);
      if (signal.aborted) return undefined;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // an abort is looked at by the caller
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** `was`: where the bytes were before a copy. */
function written(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  { names, was, etag }: { names: readonly NameChange[]; was: ObjectPlace; etag: string },
): StateChange {
  const enqueue = toldFollowers(graph, operation, etag);
  const now = { key: targetOf(operation.record), etag };
  return {
    dequeue: [operation.seq],
    names: [...names, ...relocations(graph, events, operation, was, now)],
    enqueue,
    ...settled(graph, events, operation),
  };
}

/** What waits to read or describe the version that was written learns its ETag, durably. */
function toldFollowers(
  graph: QueueGraph,
  operation: Operation,
  etag: string,
): { seq: number; record: QueueRecord }[] {
  const enqueue: { seq: number; record: QueueRecord }[] = [];
  const { record: made } = operation;
  const copies = made.kind === "put" ? [] : graph.readersOf(operation);
  for (const reader of [...copies, ...graph.describersOf(operation)]) {
    if (reader.record.kind !== "copy" && reader.record.kind !== "describe") continue;
    // of a plan that is not durable yet, too: its change is before this one, and takes this one along if it fails
    reader.record = { ...reader.record, etag };
    enqueue.push({ seq: reader.seq, record: reader.record });
  }
  return enqueue;
}

/** The delete of a copy's source learns which version it means, durably. */
function toldDelete(
  graph: QueueGraph,
  operation: Operation,
  record: CopyRecord,
  { seenMs }: DoneOutcome & { kind: "copied" },
): { seq: number; record: QueueRecord }[] {
  const next = deleteAfter(graph, operation, record);
  // "" where a store lists none
  if (next?.record.kind !== "delete" || record.etag === "") return [];
  next.record = { ...next.record, etag: record.etag };
  if (seenMs !== undefined) next.seenMs = seenMs;
  return [{ seq: next.seq, record: next.record }];
}

function isSettled(graph: QueueGraph, operation: Operation): boolean {
  return graph.fate(targetOf(operation.record)) === operation;
}

/** Local attributes leave when the bucket has them, unless newer ones are on their way. */
function settled(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
): Pick<StateChange, "attributes"> {
  if (!isSettled(graph, operation)) return {};
  const attributes = events.settledAttributes(operation.record);
  return attributes === undefined || attributes.length === 0 ? {} : { attributes };
}

/** Names whose bytes go through the written key on their way to their own key. */
function relocations(
  graph: QueueGraph,
  events: QueueEvents,
  operation: Operation,
  was: ObjectPlace,
  now: ObjectPlace,
): NameChange[] {
  const changes: NameChange[] = [];
  const readers = graph.readersOf(operation);
  for (const reader of readers) {
    if (reader.record.kind !== "copy") continue;
    changes.push(...events.relocated(reader.record.to, was, now));
    readers.push(...graph.readersOf(reader));
  }
  return changes;
}

/** The delete of a copy's source that waits behind the copy. */
export function deleteAfter(
  graph: QueueGraph,
  operation: Operation,
  record: CopyRecord,
): Operation | undefined {
  const lane = graph.lane(record.from);
  const next = lane.slice(lane.indexOf(operation) + 1).find(isLive);
  return next?.record.kind === "delete" && next.plan === undefined ? next : undefined;
}
