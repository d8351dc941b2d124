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

interface Failing {
  attempts: number;
  /** Blames the key, not S3 or the network. */
  refused: boolean;
  timer: NodeJS.Timeout | undefined;
  readonly since: number;
  message: string;
}

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
 */
export class RetrySchedule {
  readonly #failing = new Map<Operation, Failing>();
  readonly #wake: (operation: Operation) => void;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #isRefused: (error: unknown) => boolean;
  #troubleSince: number | undefined;
  #trouble: string | undefined;
  #lastSuccess = -Infinity;

  constructor(options: RetryOptions, wake: (operation: Operation) => void) {
    this.#wake = wake;
    this.#minMs = options.minMs ?? 1000;
    this.#maxMs = options.maxMs ?? 60_000;
    this.#isRefused = options.isRefused ?? (() => false);
  }

  isAsleep(operation: Operation): boolean {
    return this.#failing.get(operation)?.timer !== undefined;
  }

  /** What is wrong with an operation since its last attempt. */
  failure(operation: Operation): string | undefined {
    return this.#failing.get(operation)?.message;
  }

  /** What is wrong with S3 or the network since the last success. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The newest error that still holds. */
  get lastError(): { key: string; message: string; sinceMs: number } | undefined {
    let last: { key: string; message: string; sinceMs: number } | undefined;
    for (const [operation, { message, since }] of this.#failing) {
      last = { key: targetOf(operation.record), message, sinceMs: since };
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
    failing.refused = isOwn;
    if (!isOwn) this.#trouble = message;
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
    const failing = this.#failing.get(operation);
    this.forget(operation);
    if (failing?.refused === true) {
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
    clearTimeout(this.#failing.get(operation)?.timer);
    this.#failing.delete(operation);
  }

  stop(): void {
    for (const { timer } of this.#failing.values()) clearTimeout(timer);
  }

  #report(operation: Operation, failing: Failing, isOwn: boolean): void {
    const key = targetOf(operation.record);
    if (isOwn && !failing.refused) {
      log.error("Object %j fails by itself and will be tried again: %s", key, failing.message);
    } else if (!isOwn && this.#troubleSince === undefined) {
      this.#troubleSince = Date.now();
      log.warn("Uploads fail and will be tried again, first %j: %s", key, failing.message);
    }
  }
}
