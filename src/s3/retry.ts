// THE retry policy: full jitter, capped, until a deadline that counts time without progress.
import type { Clock } from "./clock.ts";

const baseDelayMs = 100;
const maxDelayMs = 5_000;
const maxRetryAfterMs = 20_000;

/** Milliseconds to wait before retry `retry` (0 is the first): anything up to a doubling bound, so that clients spread. */
export function retryDelayMs(retry: number, random: number): number {
  return random * Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(retry, 16));
}

/** Milliseconds of a Retry-After header (seconds or an HTTP date), bounded; undefined when absent or nonsense. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined || value === "") return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), maxRetryAfterMs);
}

/** The point in time at which a call gives up; moved by progress. */
export class Deadline {
  readonly budgetMs: number;
  readonly #clock: Clock;
  #at: number;

  constructor(clock: Clock, budgetMs: number) {
    this.#clock = clock;
    this.budgetMs = budgetMs;
    this.#at = clock.now() + budgetMs;
  }

  /** Never negative. */
  get remainingMs(): number {
    return Math.max(0, this.#at - this.#clock.now());
  }

  /** Starts the budget again: new bytes arrived for good. */
  progressed(): void {
    this.#at = this.#clock.now() + this.budgetMs;
  }

  /** Does not count `ms`: bytes moved, but may have to move again (so the budget is not refilled). */
  exclude(ms: number): void {
    this.#at += ms;
  }
}

/** What to do after a failed attempt. */
export type RetryDecision =
  | { readonly kind: "never" }
  /** The cause was put right (region, clock, credentials): again without waiting, a few times at most. */
  | { readonly kind: "corrected" }
  | { readonly kind: "later"; readonly retryAfterMs?: number | undefined };

const maxCorrections = 4;

/** Counts the attempts of one call and waits between them. */
export class RetryState {
  readonly deadline: Deadline;
  readonly #clock: Clock;
  #retries = 0;
  #corrections = 0;

  constructor(clock: Clock, deadline: Deadline) {
    this.#clock = clock;
    this.deadline = deadline;
  }

  /** Attempts that failed so far. */
  get failedAttempts(): number {
    return this.#retries + this.#corrections;
  }

  /** Whether an attempt that starts now has less time than the first one had, so that its silence means little. */
  get isCutShort(): boolean {
    return this.failedAttempts > 0 && this.deadline.remainingMs < this.deadline.budgetMs / 3;
  }

  /** Resolves to true when another attempt is due, after waiting; to false when the last error stands. */
  async again(decision: RetryDecision, signal: AbortSignal | undefined): Promise<boolean> {
    if (decision.kind === "never" || signal?.aborted === true) return false;
    if (decision.kind === "corrected" && this.#corrections < maxCorrections) {
      this.#corrections += 1;
      return true;
    }
    const remaining = this.deadline.remainingMs;
    if (remaining <= 0) return false;
    const jittered = retryDelayMs(this.#retries, this.#clock.random());
    const asked = decision.kind === "later" ? (decision.retryAfterMs ?? 0) : 0;
    this.#retries += 1;
    // the last attempt comes just before the deadline, not after it
    await this.#clock.sleep(Math.min(Math.max(jittered, asked), remaining * 0.9), signal);
    return !(signal?.aborted ?? false) && this.deadline.remainingMs > 0;
  }
}
