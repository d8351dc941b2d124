// The queue that makes the bucket follow the namespace.
import { setMaxListeners } from "node:events";
import { log } from "../log.ts";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import type { MountState } from "../state/mount-state.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import { type Completion, completionOf, type DoneOutcome, writeCompletion } from "./completion.ts";
import { Holds } from "./holds.ts";
import { keysOf, type Operation, targetOf } from "./operation.ts";
import { OperationRunner } from "./operation-runner.ts";
import { QueueDesk } from "./queue-desk.ts";
import { GraphPlan } from "./queue-plan.ts";
import { QueueGraph } from "./queue-graph.ts";
import { QueueScheduler } from "./queue-scheduler.ts";
import { QueueWaiters } from "./queue-waiters.ts";
import { RetrySchedule } from "./retry-schedule.ts";
import { Rounds } from "./rounds.ts";
import type { QueueEvents, QueueStatus, UploadQueue } from "./spool.ts";
import type { StagedFiles } from "./staged-files.ts";
import { StagedOwner } from "./staged-owner.ts";
import type { UploadQueueOptions } from "./upload-queue-options.ts";

const MIB = 2 ** 20;
/** Uploads that end within this time share one durable commit, so that those of close(2) find the disk free. */
const ROUND_MS = 25;

/**
 * The life of an operation: planned -> committed -> ready (first on all its keys, not held, not asleep) -> prepared
 * (readers of the old object are done) -> running -> durable -> out of the graph. It stays in the graph, and what
 * follows on its keys waits, until the state has dropped its record: so a crash at any point repeats an operation at
 * most, and finds what it needs to repeat it. Staged files are adopted or deleted between the two.
 */
export class BackgroundUploadQueue implements UploadQueue {
  readonly #options: UploadQueueOptions;
  readonly #state: MountState;
  readonly #files: StagedFiles;
  readonly #runner: OperationRunner;
  readonly #graph = new QueueGraph();
  readonly #holds = new Holds();
  readonly #staged: StagedOwner;
  readonly #scheduler: QueueScheduler;
  readonly #retries: RetrySchedule;
  readonly #waiters: QueueWaiters;
  /** What no retry can mend, with the reason; kept in the journal and here. */
  readonly #failed = new Map<Operation, string>();
  /** Released files that are becoming cache content. */
  readonly #adoptions = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #rounds = new Rounds(ROUND_MS);
  /** For `pailfs queue`. */
  readonly desk: QueueDesk;
  #events: QueueEvents | undefined;

  constructor(options: UploadQueueOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#files = options.files;
    this.#staged = new StagedOwner(options.files, this.#holds, options.cache);
    this.#runner = new OperationRunner({
      ...options,
      sizes: {
        multipartThreshold: options.multipartThreshold ?? 64 * MIB,
        partSize: options.partSize ?? 8 * MIB,
        partConcurrency: options.partConcurrency ?? 4,
      },
    });
    this.#scheduler = new QueueScheduler(options.concurrency ?? 16, {
      limit: () => this.#retries.limit,
      mayStart: (operation) => this.#mayStart(operation),
      prepare: (operation) => this.#prepare(operation),
      run: (operation, free) => this.#attempt(operation, free),
    });
    this.#retries = new RetrySchedule(options.retry ?? {}, {
      wake: (operation) => this.#offer([operation]),
      resume: () => this.#scheduler.pump(),
    });
    this.#waiters = new QueueWaiters(
      options.patienceMs ?? 30_000,
      (operation) => this.#retries.failure(operation)?.message ?? this.#retries.trouble,
    );
    this.desk = new QueueDesk({
      graph: this.#graph,
      holds: this.#holds,
      retries: this.#retries,
      failed: this.#failed,
      state: this.#state,
      plan: () => this.plan(),
      events: () => this.#events,
      idle: (key) => this.idle(key),
      offer: (operation) => this.#offer([operation]),
    });
    // every request of every operation listens
    setMaxListeners(0, this.#abort.signal);
    this.#load();
  }

  plan(): GraphPlan {
    return new GraphPlan({
      graph: this.#graph,
      files: this.#files,
      nextSeq: () => this.#state.nextSeq(),
      committed: (added, cancelled) => this.#committed(added, cancelled),
      rolledBack: (added, restored) => this.#rolledBack(added, restored),
    });
  }

  fate(key: string): QueueRecord["kind"] | undefined {
    return this.#graph.fate(key)?.record.kind;
  }

  removesBelow(prefix: string): boolean {
    for (const key of this.#graph.keys()) {
      if (key.startsWith(prefix) && this.fate(key) === "delete") return true;
    }
    return false;
  }

  idle(key: string): Promise<void> {
    return this.#isRunning(key) ? this.#waiters.idle(key) : Promise.resolve();
  }

  hold(staged: string): void {
    this.#holds.hold(staged);
  }

  unhold(staged: string): Promise<void> | undefined {
    const freed = this.#holds.unhold(staged);
    if (freed === undefined) return undefined;
    for (const operation of freed.operations) this.#scheduler.offer(operation);
    this.#scheduler.pump();
    const taken = freed.leftover && this.#staged.released(staged, freed.leftover.object);
    if (taken === undefined) return undefined;
    this.#adoptions.add(taken);
    return taken.finally(() => this.#adoptions.delete(taken));
  }

  settled(key: string): Promise<void> {
    const last = this.#graph.last(key);
    if (last === undefined) return Promise.resolve();
    for (const operation of this.#graph.lane(key)) {
      const failure = this.#failed.get(operation);
      if (failure !== undefined) return Promise.reject(lostError(key, failure));
    }
    const settled = this.#waiters.settled(key, last);
    this.#retries.endPause();
    // someone waits: no pause, and no waiting for a release that comes after this very call
    for (const operation of this.#graph.lane(key)) {
      this.#retries.wake(operation);
      this.#scheduler.offer(operation);
    }
    this.#scheduler.pump();
    return settled;
  }

  drained(prefix = ""): Promise<void> {
    const matching: Operation[] = [];
    for (const operation of this.#graph.operations()) {
      if (this.#failed.has(operation)) continue;
      if (keysOf(operation.record).some((key) => key.startsWith(prefix))) matching.push(operation);
    }
    return this.#waiters.drained(matching);
  }

  status(): QueueStatus {
    const [oldest] = this.#graph.operations();
    const lastError = this.#retries.lastError ?? this.#lastFailed();
    return {
      pending: this.#graph.size,
      pendingBytes: this.#graph.bytes,
      running: this.#scheduler.running,
      stuck: this.#retries.refused + this.#failed.size,
      ...(oldest === undefined ? {} : { oldestMs: oldest.since }),
      ...(lastError === undefined ? {} : { lastError }),
    };
  }

  start(events: QueueEvents): void {
    this.#events = events;
    for (const operation of this.#graph.operations()) {
      const etag = this.#options.recovered?.uploaded.get(operation.seq);
      if (etag === undefined) this.#scheduler.offer(operation);
      else
        this.#scheduler.run(operation, () => this.#finish(operation, { kind: "uploaded", etag }));
    }
    this.#scheduler.start();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#retries.stop();
    this.#waiters.stop();
    await this.#scheduler.stop();
    await Promise.all(this.#adoptions);
  }

  #load(): void {
    const failed = this.#options.recovered?.failed;
    for (const { seq, record } of this.#state.pending()) {
      const operation = this.#graph.add({ seq, record, over: true });
      if (record.kind === "put") this.#files.retain(record.staged);
      const failure = failed?.get(seq);
      if (failure !== undefined) this.#failed.set(operation, failure);
    }
  }

  #committed(added: readonly Operation[], cancelled: readonly Operation[]): void {
    for (const operation of cancelled) {
      if (operation.removed) continue;
      // never rejects, and no one needs to wait for it
      void this.#runner.abandon(operation.record);
      this.#remove(operation, "cancelled");
      const { record } = operation;
      if (record.kind === "put") this.#staged.dropped(record.staged);
    }
    this.#offer(added);
  }

  #rolledBack(added: readonly Operation[], restored: readonly Operation[]): void {
    for (const operation of added) {
      this.#remove(operation, "cancelled");
      // the planner still has the file and may try again
      if (operation.record.kind === "put") this.#files.unretain(operation.record.staged);
    }
    this.#offer(restored);
  }

  /** Operations that hold now, be it for the first time or again. */
  #offer(operations: readonly Operation[]): void {
    for (const operation of operations) this.#scheduler.offer(operation);
    this.#scheduler.pump();
  }

  /** Takes an operation out; what follows on its keys may start. */
  #remove(operation: Operation, why: "done" | "cancelled"): void {
    const { record, seq } = operation;
    const keys = keysOf(record);
    this.#graph.remove(operation);
    this.#retries.forget(operation);
    this.#failed.delete(operation);
    if (record.kind === "put") this.#holds.unpark(record.staged, operation);
    const successor = (key: string): Operation | undefined =>
      this.#graph.lane(key).findLast((other) => other.seq > seq);
    this.#waiters.left(operation, why === "done" ? () => undefined : successor);
    for (const head of this.#graph.heads(keys)) this.#scheduler.offer(head);
    for (const key of keys) if (!this.#isRunning(key)) this.#waiters.quiet(key);
  }

  #isRunning(key: string): boolean {
    return this.#graph.lane(key).some((operation) => operation.running);
  }

  #mayStart(operation: Operation): boolean {
    if (!this.#graph.isReady(operation)) return false;
    if (this.#failed.has(operation) || this.#retries.isAsleep(operation)) return false;
    const { record } = operation;
    if (record.kind !== "put" || !this.#holds.isHeld(record.staged)) return true;
    if (this.#waiters.isAwaited(operation)) return true;
    this.#holds.park(record.staged, operation);
    return false;
  }

  #prepare({ record, over }: Operation): Promise<void> | undefined {
    const replaces = over || record.kind === "describe";
    return replaces ? this.#events?.beforeReplace(targetOf(record)) : undefined;
  }

  async #attempt(operation: Operation, free: () => void): Promise<void> {
    const startedAt = performance.now();
    const key = targetOf(operation.record);
    try {
      const { signal } = this.#abort;
      const call = { signal, retryForbidden: this.#waiters.isAwaited(operation) };
      const outcome = await this.#runner.run(operation, call, (uploadId) =>
        this.#recordUploadId(operation, uploadId),
      );
      if (outcome.kind !== "unpublishable") {
        free();
        await this.#finish(operation, outcome);
        return;
      }
      this.#failed.set(operation, outcome.reason);
      log.error("Cannot upload %j: %s", key, outcome.reason);
      this.#waiters.failed(operation, lostError(key, outcome.reason));
      // no one drains what is lost
      this.#waiters.left(operation, () => undefined);
    } catch (error) {
      operation.seenMs = undefined;
      if (!this.#abort.signal.aborted) {
        if (this.#graph.isVain(operation)) {
          await this.#finish(operation, { kind: "described", etag: undefined });
          return;
        }
        this.#retries.failed(operation, error, startedAt);
        this.#waiters.failed(
          operation,
          toSystemFsError(error, `Cannot finish the work on "${key}"`),
        );
      }
    }
    operation.running = false;
    for (const touched of keysOf(operation.record)) {
      if (!this.#isRunning(touched)) this.#waiters.quiet(touched);
    }
  }

  async #recordUploadId(operation: Operation, uploadId: string): Promise<void> {
    const { seq, record } = operation;
    if (record.kind !== "put") return;
    operation.record = { ...record, uploadId };
    await this.#state.mutate({ enqueue: [{ seq, record: operation.record }] });
  }

  /** Makes the outcome durable, however long that takes, then lets go of the operation. */
  async #finish(operation: Operation, outcome: DoneOutcome): Promise<void> {
    const { signal } = this.#abort;
    if (!this.#waiters.any) await this.#rounds.next();
    const complete = (): Completion | undefined =>
      this.#events && completionOf(this.#graph, this.#events, operation, outcome);
    const dropped = await writeCompletion(this.#state, complete, signal);
    if (dropped === undefined) return;
    this.#retries.succeeded(operation);
    for (const gone of dropped) if (!gone.removed) this.#remove(gone, "done");
    const { record } = operation;
    if (record.kind === "put" && outcome.kind === "uploaded") {
      // who waited for the queue finds the bytes in the cache
      await this.#staged.uploaded(record, outcome.etag);
    }
    this.#remove(operation, "done");
    this.#scheduler.pump();
  }

  #lastFailed(): QueueStatus["lastError"] {
    const [first] = this.#failed;
    if (first === undefined) return undefined;
    const [{ record, since }, message] = first;
    return { key: targetOf(record), message, sinceMs: since };
  }
}

function lostError(key: string, reason: string): FsError {
  return new FsError("EIO", `Cannot upload "${key}": ${reason}`);
}
