// When failed operations are tried again, and what the log and the status say meanwhile.
import { log } from "../log.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import { type Operation, targetOf } from "./operation.ts";
import { Outage } from "./outage.ts";

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
  /** The same by performance.now(). */
  readonly firstMs: number;
  readonly message: string;
}

interface Failing extends Failure {
  attempts: number;
  /** When the latest attempt failed, by performance.now(). */
  lastMs: number;
  refused: boolean;
  timer: NodeJS.Timeout | undefined;
  message: string;
}

/** While nothing succeeds nobody knows whom a refusal means: that it is over is seen within this share of the time that it lasted. */
const PAUSE_SHARE = 0.1;
/** Such a pause is never cut below so many times the first one. */
const SHORT_PAUSES = 5;

/** Refused keys that the log names; of more it only tells the number, each time that doubled. */
const NAMED_REFUSALS = 8;

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
 * A refusal may be meant for the key or for all that we ask (expired keys): while nothing succeeds, several refused
 * operations make an outage as any other failures do, and few of them are asked again the sooner the younger the refusal is.
 */
export class RetrySchedule {
  readonly #failing = new Map<Operation, Failing>();
  readonly #wake: (operation: Operation) => void;
  readonly outage: Outage;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #isRefused: (error: unknown) => boolean;
  #troubleSince: number | undefined;
  #trouble: string | undefined;
  #lastSuccess = -Infinity;
  #refused = 0;
  #mostRefused = 0;

  /** `wake` is called when an operation may be tried again, `resume` when operations may start again at all. */
  constructor(
    options: RetryOptions,
    on: { wake: (operation: Operation) => void; resume: () => void },
  ) {
    this.#wake = on.wake;
    this.#minMs = options.minMs ?? 1000;
    this.#maxMs = options.maxMs ?? 60_000;
    this.#isRefused = options.isRefused ?? (() => false);
    this.outage = new Outage({ minMs: this.#minMs, maxMs: this.#maxMs }, on.resume);
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
    const failing = this.#failing.get(operation) ?? {
      attempts: 0,
      refused: false,
      timer: undefined,
      since: Date.now(),
      firstMs: performance.now(),
      lastMs: 0,
      message,
    };
    failing.attempts += 1;
    failing.lastMs = performance.now();
    failing.message = message;
    const isRefused = this.#isRefused(error);
    const isOwn = ownErrnos.has(errnoOf(error)) || this.#isToBlame(failing, isRefused, startedAt);
    // something succeeded since it was sent: it tells nothing of S3 as it is now
    const isNews = this.#lastSuccess < startedAt;
    if (!isOwn && isNews) this.outage.failed(operation, isRefused);
    // of the first refusals nobody knows yet what they mean
    const isTrouble = !isOwn && isNews && (!isRefused || this.outage.isOn);
    if (isOwn || isTrouble) this.#report(operation, failing, isOwn);
    if (isTrouble) this.#trouble = message;
    this.#setRefused(failing, isOwn);
    // newest last
    this.#failing.delete(operation);
    this.#failing.set(operation, failing);
    failing.timer = setTimeout(
      () => this.wake(operation),
      Math.random() * this.#longestPauseMs(failing),
    );
    failing.timer.unref();
  }

  succeeded(operation: Operation): void {
    this.#lastSuccess = performance.now();
    this.#trouble = undefined;
    const wasOutage = this.outage.over();
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
    // whatever refused this one may have refused others; those asked a moment ago will ask again soon
    const recentMs = performance.now() - SHORT_PAUSES * this.#minMs;
    for (const [other, { refused, lastMs }] of this.#failing) {
      if (!refused || wasOutage || (wasRefused && lastMs < recentMs)) this.wake(other);
    }
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
    this.outage.forget(operation);
    clearTimeout(failing.timer);
    this.#setRefused(failing, false);
    this.#failing.delete(operation);
  }

  stop(): void {
    this.outage.endPause();
    for (const { timer } of this.#failing.values()) clearTimeout(timer);
  }

  #longestPauseMs({ attempts, firstMs }: Failing): number {
    const doubled = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(attempts - 1, 20));
    if (this.#lastSuccess > firstMs) return doubled;
    const share = PAUSE_SHARE * (performance.now() - firstMs);
    return Math.min(doubled, Math.max(SHORT_PAUSES * this.#minMs, share));
  }

  /** Whether a failure is the operation's own, since others get what they ask for. */
  #isToBlame(failing: Failing, isRefused: boolean, startedAt: number): boolean {
    // the first failures may have been hiccups
    if (!isRefused) return failing.attempts > 2 && this.#lastSuccess > startedAt;
    if (this.#lastSuccess > failing.firstMs) return true;
    return failing.attempts > 1 && !this.outage.isOn;
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
