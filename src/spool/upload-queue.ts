// The queue that makes the bucket follow the namespace.
import { setMaxListeners } from "node:events";
import type { MountState } from "../state/mount-state.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import type { RemovedObject } from "../state/removed-object.ts";
import { Attempts, lostError } from "./attempts.ts";
import { DelayedDeletes } from "./delayed-deletes.ts";
import { Holds } from "./holds.ts";
import { keysOf, type Operation, targetOf } from "./operation.ts";
import { OperationRunner } from "./operation-runner.ts";
import { QueueDesk } from "./queue-desk.ts";
import { GraphPlan } from "./queue-plan.ts";
import { QueueGraph } from "./queue-graph.ts";
import { QueueScheduler } from "./queue-scheduler.ts";
import { QueueWaiters } from "./queue-waiters.ts";
import { RetrySchedule } from "./retry-schedule.ts";
import type { QueueEvents, QueueStatus, UploadQueue } from "./spool.ts";
import type { StagedFiles } from "./staged-files.ts";
import { StagedOwner } from "./staged-owner.ts";
import type { UploadQueueOptions } from "./upload-queue-options.ts";

const MIB = 2 ** 20;

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
  readonly #attempts: Attempts;
  readonly #delayed: DelayedDeletes;
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
      limit: () => this.#retries.outage.limit,
      hasFailed: (operation) => this.#retries.failure(operation) !== undefined,
      prefersUntried: () => this.#retries.outage.isOn,
      isAwaited: () => this.#waiters.any,
      mayStart: (operation) => this.#mayStart(operation),
      prepare: (operation) => this.#prepare(operation),
      run: (operation, free) => this.#attempts.run(operation, free),
    });
    this.#retries = new RetrySchedule(options.retry ?? {}, {
      wake: (operation) => this.#offer([operation]),
      resume: () => this.#scheduler.pump(),
    });
    this.#waiters = new QueueWaiters(
      options.patienceMs ?? 30_000,
      (operation) => this.#retries.failure(operation)?.message ?? this.#retries.trouble,
    );
    this.#attempts = new Attempts({
      state: this.#state,
      runner: this.#runner,
      graph: this.#graph,
      retries: this.#retries,
      waiters: this.#waiters,
      staged: this.#staged,
      failed: this.#failed,
      signal: this.#abort.signal,
      events: () => this.#events,
      again: (operation) => this.#offer([operation]),
      done: (operation) => {
        this.#remove(operation, "done");
        this.#scheduler.pump();
      },
    });
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
    this.#delayed = new DelayedDeletes({
      state: this.#state,
      plan: () => this.plan(),
      drained: (operations) => this.#waiters.drained(operations),
      delayMs: options.deleteDelayMs ?? 0,
      burst: options.deleteBurst ?? 0,
    });
    // every request of every operation listens
    setMaxListeners(0, this.#abort.signal);
    this.#load();
  }

  plan(): GraphPlan {
    return new GraphPlan({
      graph: this.#graph,
      files: this.#files,
      removed: this.#state.removed,
      deleteDelayMs: this.#options.deleteDelayMs ?? 0,
      nextSeq: () => this.#state.nextSeq(),
      committed: (added, cancelled) => this.#committed(added, cancelled),
      unlinked: (keys) => this.#delayed.unlinked(keys),
      rolledBack: (added, restored) => this.#rolledBack(added, restored),
    });
  }

  fate(key: string, etag?: string): QueueRecord["kind"] | undefined {
    return this.#delayed.fate(key, etag, this.#graph.fate(key)?.record.kind);
  }

  delaysBelow(prefix: string): boolean {
    return this.#state.removed.anyBelow(prefix);
  }

  expire(removed: readonly RemovedObject[]): Promise<void> {
    return this.#delayed.expire(removed);
  }

  removesBelow(prefix: string): boolean {
    if (this.delaysBelow(prefix)) return true;
    for (const key of this.#graph.keys()) {
      if (key.startsWith(prefix) && this.fate(key) === "delete") return true;
    }
    return false;
  }

  idle(key: string): Promise<void> {
    return this.#graph.isRunning(key) ? this.#waiters.idle(key) : Promise.resolve();
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
    this.#retries.outage.endPause();
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
    const drained = this.#waiters.drained(matching);
    // someone waits: what failed a while ago need not sleep for up to a minute more
    this.#retries.outage.endPause();
    for (const operation of matching) this.#retries.wake(operation);
    this.#scheduler.pump();
    return drained;
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
      ...this.#delayed.status(),
    };
  }

  start(events: QueueEvents): void {
    this.#events = events;
    for (const operation of this.#graph.operations()) {
      const etag = this.#options.recovered?.uploaded.get(operation.seq);
      if (etag === undefined) this.#scheduler.offer(operation);
      else
        this.#scheduler.run(operation, () =>
          this.#attempts.finish(operation, { kind: "uploaded", etag }),
        );
    }
    this.#scheduler.start();
    this.#delayed.start();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#retries.stop();
    this.#delayed.stop();
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
    for (const key of keys) if (!this.#graph.isRunning(key)) this.#waiters.quiet(key);
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

  #lastFailed(): QueueStatus["lastError"] {
    const [first] = this.#failed;
    if (first === undefined) return undefined;
    const [{ record, since }, message] = first;
    return { key: targetOf(record), message, sinceMs: since };
  }
}
