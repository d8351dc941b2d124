// A change to the queue that becomes true together with one StateChange.
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import type { RemovedChange, RemovedObject, RemovedObjects } from "../state/removed-object.ts";
import { deleteAfter } from "./completion.ts";
import { isCopyFrom, type Operation, type PlanMark, targetOf } from "./operation.ts";
import { isLive, type QueueGraph } from "./queue-graph.ts";
import type { ObjectVersionAt, PutPlan, QueuePlan } from "./spool.ts";
import type { StagedFiles } from "./staged-files.ts";

/** What a plan needs of its queue. */
export interface PlanHost {
  readonly graph: QueueGraph;
  readonly files: Pick<StagedFiles, "retain">;
  readonly removed: Pick<RemovedObjects, "get">;
  /** How long the objects of removed names stay, in ms. */
  readonly deleteDelayMs: number;
  nextSeq(): number;
  /** `added` are true now, `cancelled` are to be taken out of the graph. */
  committed(added: readonly Operation[], cancelled: readonly Operation[]): void;
  /** Programs removed the names of the objects at these keys. */
  unlinked(keys: readonly string[]): void;
  /** `added` are to be taken out of the graph, `restored` hold again. */
  rolledBack(added: readonly Operation[], restored: readonly Operation[]): void;
}

/**
 * Nothing is taken out of the graph before commit(): cancelled operations are marked, and unmarked by rollback(). A plan
 * may build on another one that is not committed yet; the journal then fails both or none, but an operation of the other
 * never counts as "so nothing is in the bucket".
 */
export class GraphPlan implements QueuePlan, PlanMark {
  readonly #host: PlanHost;
  readonly #added: Operation[] = [];
  readonly #cancelled: Operation[] = [];
  readonly #removed = new Map<string, RemovedObject | undefined>();
  readonly #unlinked: string[] = [];
  open = true;

  constructor(host: PlanHost) {
    this.#host = host;
  }

  get enqueue(): readonly { seq: number; record: QueueRecord }[] {
    return this.#added.filter(isLive).map(({ seq, record }) => ({ seq, record }));
  }

  get dequeue(): readonly number[] {
    return this.#cancelled.filter((operation) => operation.plan !== this).map(({ seq }) => seq);
  }

  get removed(): readonly RemovedChange[] {
    return [...this.#removed].map(([key, record]) => ({ key, record }));
  }

  put({ key, staged, size, inBucket, metadata }: PutPlan): void {
    const before = this.#clear(key);
    const record = { kind: "put", key, staged, size, ...(metadata ? { metadata } : {}) } as const;
    this.#add(record, { ...before, over: inBucket || before.over });
  }

  delete(key: string, inBucket: boolean, was?: NamespaceEntry): void {
    const delayMs = was === undefined ? 0 : this.#host.deleteDelayMs;
    // a copy that waits is to be there when the name is brought back
    const { over, afterDelete, replaces } = this.#clear(key, delayMs > 0 ? isCopy : undefined);
    const last = this.#host.graph.last(key);
    const isBeingDeleted = last?.running === true && last.record.kind === "delete";
    if (!inBucket && !afterDelete && (!over || isBeingDeleted)) return;
    if (was !== undefined) this.#unlinked.push(key);
    // what is at the key is not the file but what was to be deleted before
    if (replaces !== undefined && !afterDelete && !inBucket) this.#removed.set(key, replaces);
    else if (was === undefined || delayMs === 0 || afterDelete) {
      this.#add({ kind: "delete", key }, { over: true, afterDelete: false });
    } else {
      const now = Date.now();
      const record = { key, removedMs: now, notBefore: now + delayMs };
      const content = this.#host.graph.content(key)?.record;
      this.#removed.set(key, { ...record, ...remainsOf(was, content) });
    }
  }

  restore(key: string): Pick<NamespaceEntry, "staged" | "key" | "etag"> {
    this.#removed.set(key, undefined);
    const content = this.#host.graph.content(key)?.record;
    if (content?.kind === "put") return { staged: content.staged };
    return content?.kind === "copy" ? { key: content.from, etag: content.etag } : {};
  }

  /** The delay of a removed object is over: a delete like any other. */
  expire({ key, etag, removedMs }: RemovedObject): Operation {
    this.#removed.set(key, undefined);
    const record = { kind: "delete", key, removedMs, ...(etag ? { etag } : {}) } as const;
    return this.#add(record, { over: true, afterDelete: false });
  }

  move(from: ObjectVersionAt, to: Pick<PutPlan, "key" | "inBucket" | "metadata">): void {
    const { graph } = this.#host;
    const isHome = graph.holder(from.key) === to.key;
    const before = this.#clear(to.key, isHome ? isBegunDescription : undefined);
    const source = graph.holder(from.key);
    // the name was on its way back to where its bytes were before others came in between: now it leaves again
    const back = source === from.key ? undefined : graph.content(from.key);
    if (back !== undefined && isCopyFrom(back, source)) this.delete(from.key, false);
    // a rename back before the first one ran
    const { etag, size } = from;
    const { metadata } = to;
    if (source === to.key) {
      if (metadata) this.describe({ key: source, etag, size }, metadata);
      return;
    }
    // what is to happen to the source waits for the new copy; a change of its metadata goes with the copy
    const postponed = this.#cancelWaiting(
      source,
      (record, operation) => record.kind !== "copy" && !isBegunDescription(operation),
    );
    const upload = postponed.find(({ record }) => record.kind === "put");
    this.#add(
      { kind: "copy", from: source, to: to.key, etag, size, ...(metadata ? { metadata } : {}) },
      { ...before, over: to.inBucket || before.over },
    );
    if (upload?.record.kind === "put") {
      const { uploadId: _, ...record } = upload.record;
      const changed = postponed.find(({ record }) => record.kind === "describe")?.record;
      const description = changed?.kind === "describe" ? { metadata: changed.metadata } : {};
      this.#add({ ...record, ...description }, { over: true, afterDelete: upload.afterDelete });
    } else {
      this.#add({ kind: "delete", key: source }, { over: true, afterDelete: false });
    }
  }

  describe({ key, etag, size }: ObjectVersionAt, metadata: Readonly<Record<string, string>>): void {
    this.#cancelWaiting(
      key,
      (record, operation) => record.kind === "describe" && !isBegunDescription(operation),
    );
    const last = this.#host.graph.last(key);
    if (last?.record.kind === "put" && !last.running) {
      const { uploadId: _, kind: __, ...put } = last.record;
      this.put({ ...put, metadata, inBucket: last.over });
      return;
    }
    const record = { kind: "describe", key, etag, size, metadata } as const;
    this.#add(record, { over: false, afterDelete: false });
  }

  cancel(key: string, staged: string): void {
    this.#cancelWaiting(key, (record) => record.kind === "describe");
    const upload = this.#host.graph.last(key);
    if (upload?.record.kind !== "put" || upload.record.staged !== staged || upload.running) return;
    this.#cancel(upload);
    if (upload.replaces && !upload.afterDelete) this.#removed.set(key, upload.replaces);
    if (upload.afterDelete) this.#add({ kind: "delete", key }, { over: true, afterDelete: false });
  }

  /** Gives an operation up that is not running: a copy with the delete of its source; a delete that it replaced is done. */
  drop(operation: Operation): void {
    const { graph } = this.#host;
    const { record, afterDelete } = operation;
    const key = targetOf(record);
    this.#cancel(operation);
    const source = record.kind === "copy" ? deleteAfter(graph, operation, record) : undefined;
    if (source !== undefined && !source.running) this.#cancel(source);
    // attributes of what will not be there
    for (const describer of graph.describersOf(operation)) {
      if (!describer.running) this.#cancel(describer);
    }
    const isLast = !graph.isOverwritten(operation);
    if (operation.replaces && !afterDelete && isLast) this.#removed.set(key, operation.replaces);
    if (afterDelete && isLast)
      this.#add({ kind: "delete", key }, { over: true, afterDelete: false });
  }

  commit(): void {
    this.#close();
    for (const operation of this.#added) operation.plan = undefined;
    this.#host.committed(
      this.#added.filter((operation) => operation.cancelledBy !== this),
      this.#cancelled,
    );
    this.#host.unlinked(this.#unlinked);
  }

  rollback(): void {
    this.#close();
    const restored = this.#cancelled.filter((operation) => operation.plan !== this);
    for (const operation of this.#cancelled) operation.cancelledBy = undefined;
    this.#host.rolledBack(this.#added, restored);
  }

  #close(): void {
    if (!this.open) throw new Error("A queue plan ends once");
    this.open = false;
  }

  /** Cancels what waits to write `key`, and tells what the bucket may hold there by the time that a new operation runs. */
  #clear(
    key: string,
    mustStay: (operation: Operation) => boolean = () => false,
  ): { over: boolean; afterDelete: boolean; replaces: RemovedObject | undefined } {
    const { graph } = this.#host;
    const cancelled = this.#cancelWaiting(key, (record, operation) => {
      if (mustStay(operation)) return false;
      return (
        record.kind !== "copy" || (!isCopyFrom(operation, key) && !graph.isLastChance(operation))
      );
    });
    const replaces = this.#takeRemoved(key) ?? cancelled.find((one) => one.replaces)?.replaces;
    const afterDelete = cancelled.some(
      ({ record, afterDelete }) => record.kind === "delete" || afterDelete,
    );
    // of a plan that may still fail: what it cancelled would come back
    const isUncertain = cancelled.some(({ plan }) => plan !== undefined && plan !== this);
    const rest = graph.lane(key).some((operation) => operation.cancelledBy !== this);
    const over =
      rest ||
      isUncertain ||
      afterDelete ||
      replaces !== undefined ||
      cancelled.some(({ over, record }) => over || record.kind === "describe");
    return { over, afterDelete, replaces };
  }

  /** Whatever comes to the key now counts: a removed object there cannot be brought back any more. */
  #takeRemoved(key: string): RemovedObject | undefined {
    const removed = this.#removed.has(key) ? this.#removed.get(key) : this.#host.removed.get(key);
    if (removed !== undefined) this.#removed.set(key, undefined);
    return removed;
  }

  /** Cancels from the end of a lane what waits and may go. */
  #cancelWaiting(
    key: string,
    mayGo: (record: QueueRecord, operation: Operation) => boolean,
  ): Operation[] {
    const cancelled: Operation[] = [];
    for (;;) {
      const last = this.#host.graph.last(key);
      if (last === undefined || last.running || !mayGo(last.record, last)) return cancelled;
      this.#cancel(last);
      cancelled.push(last);
    }
  }

  #cancel(operation: Operation): void {
    operation.cancelledBy = this;
    this.#cancelled.push(operation);
  }

  #add(
    record: QueueRecord,
    options: { over: boolean; afterDelete: boolean; replaces?: RemovedObject | undefined },
  ): Operation {
    const { graph, files } = this.#host;
    if (record.kind === "put") files.retain(record.staged);
    const queued = { queuedMs: Date.now(), ...record };
    const seq = this.#host.nextSeq();
    const operation = graph.add({ seq, record: queued, ...options, plan: this });
    this.#added.push(operation);
    return operation;
  }
}

function isCopy({ record }: Operation): boolean {
  return record.kind === "copy";
}

/** What a removed name leaves at its key; `content`: what the queue still gives the key. */
function remainsOf(
  was: NamespaceEntry,
  content: QueueRecord | undefined,
): Pick<RemovedObject, "etag" | "entry"> {
  const { staged, key, etag, ...entry } = was;
  if (content?.kind === "put") return content.staged === staged ? { entry } : {};
  if (content?.kind === "copy") return content.from === key && !staged ? { entry } : {};
  const version = etag === undefined || etag === "" ? {} : { etag };
  // the upload was taken back: the bucket has what was there before
  if (staged !== undefined) return key === undefined ? version : {};
  return { ...version, entry: { ...entry, ...version } };
}

/** Its attempt may have given the object another ETag, which only its end tells those that come after. */
function isBegunDescription({ record, over }: Operation): boolean {
  return record.kind === "describe" && over;
}
