// What an operator sees and does of pending work: `pailfs queue`.
import { FsError } from "../posix/errno.ts";
import type { MountState } from "../state/mount-state.ts";
import type { Holds } from "./holds.ts";
import { type Operation, targetOf } from "./operation.ts";
import type { QueueGraph } from "./queue-graph.ts";
import type { QueueItem } from "./queue-item.ts";
import type { GraphPlan } from "./queue-plan.ts";
import type { RetrySchedule } from "./retry-schedule.ts";
import type { QueueEvents } from "./spool.ts";

/** What the desk works on: the parts of its queue. */
export interface DeskParts {
  readonly graph: QueueGraph;
  readonly holds: Holds;
  readonly retries: RetrySchedule;
  /** What no retry can mend, with the reason. */
  readonly failed: Map<Operation, string>;
  readonly state: MountState;
  plan(): GraphPlan;
  events(): QueueEvents | undefined;
  /** Resolves when nothing on `key` is running. */
  idle(key: string): Promise<void>;
  /** The operation may be tried again now. */
  offer(operation: Operation): void;
}

export class QueueDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** @yields pending work after number `after`, oldest first; `all`: also what is in no trouble. */
  *items(after: number, all: boolean): Generator<QueueItem> {
    for (const operation of this.#parts.graph.operations()) {
      if (operation.seq <= after) continue;
      const item = this.#describe(operation);
      if (all || stuckStates.has(item.state)) yield item;
    }
  }

  /** Tries the numbered work again at once, or with no numbers all that is stuck; returns how much that is. Throws FsError ENOENT for an unknown number. */
  retry(ids: readonly number[]): number {
    const { graph, retries, failed } = this.#parts;
    const stuck = (operation: Operation): boolean =>
      stuckStates.has(this.#describe(operation).state);
    const chosen =
      ids.length === 0
        ? [...graph.operations()].filter(stuck)
        : ids.map((id) => this.#operation(id));
    retries.outage.endPause();
    for (const operation of chosen) {
      failed.delete(operation);
      retries.wake(operation);
      this.#parts.offer(operation);
    }
    return chosen.length;
  }

  /** The upload of that number. Throws FsError: ENOENT when it is not there (any more), EINVAL when it has no bytes. */
  upload(id: number): { readonly key: string; readonly staged: string; readonly size: number } {
    const { record } = this.#operation(id);
    if (record.kind === "put") return record;
    throw new FsError("EINVAL", `Cannot export ${id}: a ${record.kind} has no bytes here`);
  }

  /**
   * Gives the work up, durably: the name stands for what the bucket has. Rejects with FsError: ENOENT when it is not
   * there (any more), EBUSY when other work needs it.
   */
  async discard(id: number): Promise<void> {
    const { graph, state } = this.#parts;
    let operation = this.#operation(id);
    if (operation.running) {
      await this.#parts.idle(targetOf(operation.record));
      operation = this.#operation(id);
    }
    const isSettled = operation.plan === undefined && operation.cancelledBy === undefined;
    if (operation.running || !isSettled) {
      throw new FsError("EBUSY", `Cannot discard ${id}: it is changing right now; try again`);
    }
    const [reader] = graph.readersOf(operation);
    if (reader !== undefined) {
      throw new FsError("EBUSY", `Cannot discard ${id}: ${reader.seq} copies what it writes`);
    }
    const plan = this.#parts.plan();
    plan.drop(operation);
    const change = this.#parts.events()?.discarded(operation.record) ?? {};
    try {
      const { enqueue, dequeue, removed } = plan;
      await state.mutate({ ...change, enqueue, dequeue, removed });
    } catch (error) {
      plan.rollback();
      throw error;
    }
    plan.commit();
  }

  #operation(id: number): Operation {
    const operation = this.#parts.graph.get(id);
    if (operation !== undefined) return operation;
    throw new FsError("ENOENT", `Nothing in the queue has the number ${id} (any more)`);
  }

  #describe(operation: Operation): QueueItem {
    const { retries, failed, holds } = this.#parts;
    const { record, seq, since, running } = operation;
    const failure = retries.failure(operation);
    const lost = failed.get(operation);
    const isOpen = record.kind === "put" && holds.isHeld(record.staged);
    const trouble = failure === undefined ? "waiting" : failure.refused ? "refused" : "failing";
    const quiet = isOpen && trouble === "waiting" ? "open" : trouble;
    const reason = lost ?? failure?.message;
    return {
      id: `${seq}`,
      state: running && failure === undefined ? "running" : lost === undefined ? quiet : "lost",
      kind: record.kind,
      key: targetOf(record),
      ...(record.kind === "copy" ? { from: record.from } : {}),
      ...(record.kind === "delete" ? {} : { bytes: record.size }),
      sinceMs: since,
      ...(failure === undefined ? {} : { attempts: failure.attempts }),
      ...(reason === undefined ? {} : { reason }),
    };
  }
}

const stuckStates: ReadonlySet<QueueItem["state"]> = new Set(["failing", "refused", "lost"]);
