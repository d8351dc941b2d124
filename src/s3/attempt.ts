// One attempt of a call: its slot in the queue and its watchdog, let go of exactly once.
import type { Deadline } from "./retry.ts";
import type { S3Call } from "./s3-call.ts";
import type { Watchdog } from "./watchdog.ts";

export class Attempt {
  readonly call: S3Call;
  readonly watchdog: Watchdog;
  readonly deadline: Deadline;
  readonly startedMs: number;
  readonly #slot: () => void;

  constructor(
    call: S3Call,
    watchdog: Watchdog,
    deadline: Deadline,
    startedMs: number,
    slot: () => void,
  ) {
    this.call = call;
    this.watchdog = watchdog;
    this.deadline = deadline;
    this.startedMs = startedMs;
    this.#slot = slot;
  }

  /** Milliseconds of silence after which the attempt is given up, so that another one still fits. */
  get silenceMs(): number {
    const { remainingMs, budgetMs } = this.deadline;
    const patient = this.call.patient === true || this.call.upload !== undefined;
    return Math.min(remainingMs, budgetMs / (patient ? 2 : 3));
  }

  /** Lets another request start; the connection goes on. */
  releaseSlot(): void {
    this.#slot();
  }

  /** Lets go of everything. */
  release(): void {
    this.watchdog.dispose();
    this.#slot();
  }
}
