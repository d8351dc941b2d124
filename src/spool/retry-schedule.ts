// When failed operations are tried again, and what the log and the status say meanwhile.
import { log } from "../log.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import { type Operation, targetOf } from "./operation.ts";

export interface RetryOptions {
  /** First and longest pause in ms; 1 s and 60 s by default. */
  readonly minMs?: number;
  readonly maxMs?: number;
  /** Whether S3 refused the request itself, so that other keys need not wait for it. */
  readonly isRefused?: (error: unknown) => boolean;
}

/** Of one operation, until it succeeds. */
export interface Failure {
  readonly attempts: number;
  /** Blames the key, not S3 or the network. */
  readonly refused: boolean;
  /** Ms since the epoch of the first failure in this run. */
  readonly since: number;
  readonly message: string;
}

interface Failing extends Failure {
  attempts: number;
  refused: boolean;
  timer: NodeJS.Timeout | undefined;
  message: string;
}

/** Refused keys that the log names; of more it only tells the number, each time that doubled. */
const NAMED_REFUSALS = 8;

/** So many failures in a row, with no success, are not the fault of keys. */
const OUTAGE_FAILURES = 4;
/** During an outage so many operations at a time find out whether it is over. */
const PROBES = 2;
const LONGEST_OUTAGE_PAUSE_MS = 10_000;

// what no other key's success can mend
const ownErrnos: ReadonlySet<number | undefined> = new Set([
  Errno.EACCES,
  Errno.EFBIG,
  Errno.EINVAL,
  Errno.EISDIR,
  Errno.ENAMETOOLONG,
  Errno.ENOTDIR,
  Errno.EOPNOTSUPP,
]);

/**
 * An operation sleeps after each failure, with capped exponential backoff and full jitter. A success wakes all that
 * failed on account of S3 or the network. One that fails while others succeed is to blame itself and sleeps by itself.
 * During an outage everything pauses but for probes, so that a long queue does not mean many requests.
 */
export class RetrySchedule {
  readonly #failing = new Map<Operation, Failing>();
  readonly #wake: (operation: Operation) => void;
  readonly #resume: () => void;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #isRefused: (error: unknown) => boolean;
  #troubleSince: number | undefined;
  #trouble: string | undefined;
  #lastSuccess = -Infinity;
  #refused = 0;
  #mostRefused = 0;
  #failuresInRow = 0;
  #outagePause: NodeJS.Timeout | undefined;

  /** `wake` is called when an operation may be tried again, `resume` when operations may start again at all. */
  constructor(
    options: RetryOptions,
    on: { wake: (operation: Operation) => void; resume: () => void },
  ) {
    this.#wake = on.wake;
    this.#resume = on.resume;
    this.#minMs = options.minMs ?? 1000;
    this.#maxMs = options.maxMs ?? 60_000;
    this.#isRefused = options.isRefused ?? (() => false);
  }

  /** How many operations may be under way. */
  get limit(): number {
    if (this.#outagePause !== undefined) return 0;
    return this.#failuresInRow < OUTAGE_FAILURES ? Infinity : PROBES;
  }

  /** Someone waits for the next probe. */
  endPause(): void {
    clearTimeout(this.#outagePause);
    this.#outagePause = undefined;
  }

  isAsleep(operation: Operation): boolean {
    return this.#failing.get(operation)?.timer !== undefined;
  }

  /** What is wrong with an operation, if its last attempt failed. */
  failure(operation: Operation): Failure | undefined {
    return this.#failing.get(operation);
  }

  /** How many fail by themselves. */
  get refused(): number {
    return this.#refused;
  }

  /** What is wrong with S3 or the network since the last success. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The newest error that still holds. */
  get lastError(): { key: string; message: string; sinceMs: number } | undefined {
    let last: { key: string; message: string; sinceMs: number } | undefined;
    for (const [operation, { message, since, refused }] of this.#failing) {
      // the newest failure tells what is wrong, the trouble it is part of since when
      const sinceMs = refused ? since : Math.min(since, this.#troubleSince ?? since);
      last = { key: targetOf(operation.record), message, sinceMs };
    }
    return last;
  }

  failed(operation: Operation, error: unknown, startedAt: number): void {
    const message = error instanceof Error ? error.message : String(error);
    const known = this.#failing.get(operation);
    const failing = known ?? {
      attempts: 0,
      refused: false,
      timer: undefined,
      since: Date.now(),
      message,
    };
    failing.attempts += 1;
    failing.message = message;
    const isOwn =
      this.#isRefused(error) ||
      ownErrnos.has(errnoOf(error)) ||
      // the first failures may have been hiccups
      (failing.attempts > 2 && this.#lastSuccess > startedAt);
    this.#report(operation, failing, isOwn);
    this.#setRefused(failing, isOwn);
    if (!isOwn) this.#countFailure(message);
    // newest last
    this.#failing.delete(operation);
    this.#failing.set(operation, failing);
    const pause = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(failing.attempts - 1, 20));
    failing.timer = setTimeout(() => this.wake(operation), Math.random() * pause);
    failing.timer.unref();
  }

  succeeded(operation: Operation): void {
    this.#lastSuccess = performance.now();
    this.#trouble = undefined;
    this.#failuresInRow = 0;
    this.endPause();
    const wasRefused = this.#failing.get(operation)?.refused === true;
    this.forget(operation);
    if (wasRefused && this.#refused < NAMED_REFUSALS) {
      log.info("Object %j does not fail any more", targetOf(operation.record));
    }
    if (this.#troubleSince !== undefined) {
      const seconds = Math.round((Date.now() - this.#troubleSince) / 1000);
      this.#troubleSince = undefined;
      log.info("Uploads work again after %d s", seconds);
    }
    for (const [other, { refused }] of this.#failing) if (!refused) this.wake(other);
  }

  /** Ends the pause of an operation, if it is in one. */
  wake(operation: Operation): void {
    const failing = this.#failing.get(operation);
    if (failing?.timer === undefined) return;
    clearTimeout(failing.timer);
    failing.timer = undefined;
    this.#wake(operation);
  }

  /** The operation is done or cancelled. */
  forget(operation: Operation): void {
    const failing = this.#failing.get(operation);
    if (failing === undefined) return;
    clearTimeout(failing.timer);
    this.#setRefused(failing, false);
    this.#failing.delete(operation);
  }

  stop(): void {
    this.endPause();
    for (const { timer } of this.#failing.values()) clearTimeout(timer);
  }

  #countFailure(message: string): void {
    this.#trouble = message;
    this.#failuresInRow += 1;
    const beyond = this.#failuresInRow - OUTAGE_FAILURES;
    if (beyond < 0 || this.#outagePause !== undefined) return;
    const longest = Math.min(this.#maxMs, LONGEST_OUTAGE_PAUSE_MS);
    const pause = Math.min(longest, this.#minMs * 2 ** Math.min(beyond, 20));
    this.#outagePause = setTimeout(() => {
      this.#outagePause = undefined;
      this.#resume();
    }, Math.random() * pause);
    this.#outagePause.unref();
  }

  #setRefused(failing: Failing, refused: boolean): void {
    if (failing.refused !== refused) this.#refused += refused ? 1 : -1;
    failing.refused = refused;
    // a fresh start once all are through
    if (this.#refused === 0) this.#mostRefused = 0;
  }

  #report(operation: Operation, failing: Failing, isOwn: boolean): void {
    const key = targetOf(operation.record);
    if (isOwn && !failing.refused) {
      this.#reportRefused(key, failing.message);
    } else if (!isOwn && this.#troubleSince === undefined) {
      this.#troubleSince = Date.now();
      log.warn("Uploads fail and will be tried again, first %j: %s", key, failing.message);
    }
  }

  #reportRefused(key: string, message: string): void {
    const count = this.#refused + 1;
    if (count <= this.#mostRefused) return;
    if (count <= NAMED_REFUSALS) {
      this.#mostRefused = count;
      log.error("Object %j fails by itself and will be tried again: %s", key, message);
    } else if (count >= 2 * this.#mostRefused) {
      this.#mostRefused = count;
      log.error(
        "%d objects fail by themselves (see: pailfs queue), now %j: %s",
        count,
        key,
        message,
      );
    }
  }
}
