// What becomes of an operation that may start: its request, its end, or its next failure.
import { log } from "../log.ts";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import type { MountState } from "../state/mount-state.ts";
import { type Completion, completionOf, type DoneOutcome, writeCompletion } from "./completion.ts";
import { keysOf, type Operation, targetOf } from "./operation.ts";
import type { OperationRunner } from "./operation-runner.ts";
import type { Probe } from "./outage.ts";
import type { QueueGraph } from "./queue-graph.ts";
import type { QueueWaiters } from "./queue-waiters.ts";
import type { RetrySchedule } from "./retry-schedule.ts";
import { Rounds } from "./rounds.ts";
import type { QueueEvents } from "./spool.ts";
import type { StagedOwner } from "./staged-owner.ts";

/** Uploads that end within this time share one durable commit, so that those of close(2) find the disk free. */
const ROUND_MS = 25;

/** The parts of the queue that an attempt tells of its outcome. */
export interface AttemptParts {
  readonly state: MountState;
  readonly runner: OperationRunner;
  readonly graph: QueueGraph;
  readonly retries: RetrySchedule;
  readonly waiters: QueueWaiters;
  readonly staged: StagedOwner;
  /** What no retry can mend, with the reason. */
  readonly failed: Map<Operation, string>;
  /** The queue stops. */
  readonly signal: AbortSignal;
  events(): QueueEvents | undefined;
  /** The operation may start again. */
  again(operation: Operation): void;
  /** Takes an operation out of the queue; what waits behind it may start. */
  done(operation: Operation): void;
}

export class Attempts {
  readonly #parts: AttemptParts;
  readonly #rounds = new Rounds(ROUND_MS);

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  /** One attempt; `free` gives its place to others while it waits for the journal. */
  async run(operation: Operation, free: () => void): Promise<void> {
    const startedAt = performance.now();
    const { runner, signal, waiters, retries } = this.#parts;
    const isAwaited = waiters.isAwaited(operation);
    const probe = retries.outage.probe(operation);
    try {
      const call = { ...callFor(signal, probe, isAwaited), retryForbidden: isAwaited };
      const outcome = await runner.run(operation, call, (uploadId) =>
        this.#recordUploadId(operation, uploadId),
      );
      if (outcome.kind !== "unpublishable") {
        free();
        await this.finish(operation, outcome);
        return;
      }
      this.#lose(operation, outcome.reason);
    } catch (error) {
      operation.seenMs = undefined;
      const isWithdrawn = probe?.signal.aborted === true;
      if (!signal.aborted && !isWithdrawn && (await this.#fail(operation, error, startedAt)))
        return;
    } finally {
      probe?.end();
    }
    operation.running = false;
    for (const key of keysOf(operation.record)) {
      if (!this.#parts.graph.isRunning(key)) waiters.quiet(key);
    }
    if (probe?.signal.aborted === true) this.#parts.again(operation);
  }

  /** Makes the outcome durable, however long that takes, then lets go of the operation. */
  async finish(operation: Operation, outcome: DoneOutcome): Promise<void> {
    const { state, graph, retries, waiters, staged, signal } = this.#parts;
    if (!waiters.any) await this.#rounds.next();
    const complete = (): Completion | undefined => {
      const events = this.#parts.events();
      return events && completionOf(state.removed, graph, events, operation, outcome);
    };
    const dropped = await writeCompletion(state, complete, signal);
    if (dropped === undefined) return;
    retries.succeeded(operation);
    for (const gone of dropped) if (!gone.removed) this.#parts.done(gone);
    const { record } = operation;
    if (record.kind === "put" && outcome.kind === "uploaded") {
      // who waited for the queue finds the bytes in the cache
      await staged.uploaded(record, outcome.etag, outcome.crc32);
    }
    this.#parts.done(operation);
  }

  /** No retry can help: only a person. */
  #lose(operation: Operation, reason: string): void {
    const { failed, waiters } = this.#parts;
    const key = targetOf(operation.record);
    failed.set(operation, reason);
    log.error("Cannot upload %j: %s", key, reason);
    waiters.failed(operation, lostError(key, reason));
    // no one drains what is lost
    waiters.left(operation, () => undefined);
  }

  /** Resolves to whether the operation is over all the same. */
  async #fail(operation: Operation, error: unknown, startedAt: number): Promise<boolean> {
    const { graph, retries, waiters } = this.#parts;
    if (graph.isVain(operation)) {
      await this.finish(operation, { kind: "described", etag: undefined });
      return true;
    }
    retries.failed(operation, error, startedAt);
    const key = targetOf(operation.record);
    waiters.failed(operation, toSystemFsError(error, `Cannot finish the work on "${key}"`));
    return false;
  }

  async #recordUploadId(operation: Operation, uploadId: string): Promise<void> {
    const { seq, record } = operation;
    if (record.kind !== "put") return;
    operation.record = { ...record, uploadId };
    await this.#parts.state.mutate({ enqueue: [{ seq, record: operation.record }] });
  }
}

/** How the requests of an attempt end early: a probe's when the outage is over, or soon where no caller waits for it. */
function callFor(
  signal: AbortSignal,
  probe: Probe | undefined,
  isAwaited: boolean,
): { signal: AbortSignal; deadlineMs?: number } {
  if (probe === undefined) return { signal };
  const { deadlineMs } = probe;
  return {
    signal: AbortSignal.any([signal, probe.signal]),
    ...(deadlineMs === undefined || isAwaited ? {} : { deadlineMs }),
  };
}

/** What callers are told who wait for bytes that cannot be published. */
export function lostError(key: string, reason: string): FsError {
  return new FsError("EIO", `Cannot upload "${key}": ${reason}`);
}
