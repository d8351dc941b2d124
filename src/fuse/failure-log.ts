// Operations that end with EIO, in the log: S3 away for an hour must not be a line for each read.
import { log } from "../log.ts";

const PERIOD_MS = 60_000;

/** Tells of the first failure at once, and of those of the minute after it in one line. */
export class FailureLog {
  readonly #periodMs: number;
  #timer: NodeJS.Timeout | undefined;
  #more = 0;
  #last = "";

  constructor(periodMs = PERIOD_MS) {
    this.#periodMs = periodMs;
  }

  /** `operation` as the protocol calls it. */
  tell(operation: string, reason: string): void {
    if (this.#timer === undefined) {
      log.warn("%s failed: %s", operation, reason);
      this.#wait();
      return;
    }
    this.#more += 1;
    this.#last = `${operation} failed: ${reason}`;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#more === 0) return;
      log.warn("%d more operations failed, the last one: %s", this.#more, this.#last);
      this.#more = 0;
      this.#wait();
    }, this.#periodMs).unref();
  }
}
