// Deletes that wait for the end of their delay: in the journal and no operations before, so that any number of them costs
// neither memory nor time at a start.
import { log } from "../log.ts";
import type { MountState } from "../state/mount-state.ts";
import type { RemovedObject } from "../state/removed-object.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import { DelayClock } from "./delay-clock.ts";
import { BurstWatch } from "./delete-burst.ts";
import type { Operation } from "./operation.ts";
import type { GraphPlan } from "./queue-plan.ts";
import type { QueueStatus } from "./spool.ts";

/** What the delayed deletes need of their queue. */
export interface DelayHost {
  readonly state: MountState;
  readonly delayMs: number;
  /** From how many removed names on a burst is told; 0: never. */
  readonly burst: number;
  plan(): GraphPlan;
  drained(operations: readonly Operation[]): Promise<void>;
}

/** Operations made at a time: the others can still be undone, and cost no memory. */
const AT_ONCE = 256;
/** The clock is looked at this often at least. */
const LONGEST_MS = 30_000;
const SHORTEST_MS = 20;
/** A record that waits for longer than it was to wait at first, by this: the clock was set back. */
const SLACK_MS = 3_600_000;

export class DelayedDeletes {
  readonly #host: DelayHost;
  #clock: DelayClock;
  readonly #burst: BurstWatch;
  #timer: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #wakesMs = Infinity;
  /** Made of delayed deletes, and not done. */
  #running: Operation[] = [];
  #isStopped = false;
  #isWorking = false;

  constructor(host: DelayHost) {
    this.#host = host;
    const { removed } = host.state;
    this.#clock = this.#newClock();
    const delayed = (): number => removed.count;
    this.#burst = new BurstWatch({ threshold: host.burst, delayMs: host.delayMs, delayed });
  }

  status(): Pick<QueueStatus, "delayed" | "burst"> {
    const { count, bytes } = this.#host.state.removed;
    const [first] = this.#host.state.removed.earliest(1);
    const { burst } = this.#burst;
    return {
      delayed: { count, bytes, ...(first ? { dueMs: first.notBefore } : {}) },
      ...(burst === undefined ? {} : { burst }),
    };
  }

  /** Contract: UploadQueue.fate; `queued`: what the operations say. */
  fate(
    key: string,
    etag: string | undefined,
    queued: QueueRecord["kind"] | undefined,
  ): QueueRecord["kind"] | undefined {
    const removed = this.#host.state.removed.get(key);
    if (removed === undefined) return queued;
    // somebody else put another version there; not so where what was removed is still on its way there
    const isOther = queued === undefined && isOtherVersion(removed.etag, etag);
    return isOther ? undefined : "delete";
  }

  start(): void {
    const { removed } = this.#host.state;
    this.#burst.found(removed.count, removed.latest()?.removedMs ?? 0);
    void this.#work();
  }

  /** Contract: PlanHost.unlinked. */
  unlinked(keys: readonly string[]): void {
    this.#burst.note(keys);
    // what the clock did while nothing waited does not matter
    if (this.#host.state.removed.count <= keys.length) this.#clock = this.#newClock();
    if (this.#wakesMs > performance.now() + this.#host.delayMs) this.#schedule();
  }

  #schedule(leastMs = SHORTEST_MS): void {
    if (this.#isStopped || this.#isWorking) return;
    clearTimeout(this.#timer);
    this.#wakesMs = Infinity;
    const [first] = this.#host.state.removed.earliest(1);
    if (first === undefined) return;
    const now = this.#clock.now();
    const left = this.#left() >= AT_ONCE ? SHORTEST_MS * 10 : first.notBefore - now;
    const pause = Math.min(LONGEST_MS, Math.max(leastMs, left));
    this.#wakesMs = performance.now() + pause;
    this.#timer = setTimeout(() => void this.#work(), pause);
    this.#timer.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Contract: UploadQueue.expire. */
  async expire(removed: readonly RemovedObject[]): Promise<void> {
    const { state } = this.#host;
    // brought back or overwritten meanwhile
    const still = removed.filter(
      ({ key, removedMs }) => state.removed.get(key)?.removedMs === removedMs,
    );
    const operations = await this.#enqueue(still);
    await this.#host.drained(operations.filter((operation) => !operation.removed));
  }

  #newClock(): DelayClock {
    return new DelayClock(() => this.#host.state.removed.latest()?.removedMs ?? 0);
  }

  /** Makes operations of deletes, durably. */
  async #enqueue(removed: readonly RemovedObject[]): Promise<readonly Operation[]> {
    if (removed.length === 0) return [];
    const plan = this.#host.plan();
    const operations = removed.map((one) => plan.expire(one));
    const { enqueue, dequeue, removed: changes } = plan;
    try {
      await this.#host.state.mutate({ enqueue, dequeue, removed: changes });
    } catch (error) {
      plan.rollback();
      throw error;
    }
    plan.commit();
    return operations;
  }

  /** Makes operations of what is due; never rejects. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    let leastMs = SHORTEST_MS;
    try {
      await this.#keepSane();
      const room = AT_ONCE - this.#left();
      const now = this.#clock.now();
      const due = this.#host.state.removed
        .earliest(room)
        .filter(({ notBefore }) => notBefore <= now);
      if (due.length > 0 && !this.#isStopped) this.#running.push(...(await this.#enqueue(due)));
    } catch (error) {
      if (!this.#isStopped) log.warn("Cannot begin delayed deletes for now: %s", error);
      leastMs = LONGEST_MS;
    }
    this.#isWorking = false;
    this.#schedule(leastMs);
  }

  /** Whose clock was years ahead when names were removed would keep them for years. */
  async #keepSane(): Promise<void> {
    const { state } = this.#host;
    for (;;) {
      const last = state.removed.latest();
      if (last === undefined || this.#isStopped) return;
      const now = Date.now();
      const delay = last.notBefore - last.removedMs;
      if (last.notBefore - now <= delay + SLACK_MS) return;
      const record = { ...last, removedMs: now, notBefore: now + delay };
      await state.mutate({ removed: [{ key: last.key, record }] });
    }
  }

  #left(): number {
    this.#running = this.#running.filter((operation) => !operation.removed);
    return this.#running.length;
  }
}

function isOtherVersion(removed: string | undefined, etag: string | undefined): boolean {
  // "" where a store lists none
  return removed !== undefined && etag !== undefined && etag !== "" && removed !== etag;
}
