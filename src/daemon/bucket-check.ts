// The question to the bucket at start, asked while everything else is opened.
import { log } from "../log.ts";
import { type StartError, toStartError } from "./start-error.ts";

/** How long the bucket may take to answer when nothing is known of it, in ms. */
const FIRST_MS = 10_000;
/** The same where the mount can go on without an answer; what is opened meanwhile is part of it. */
const AGAIN_MS = 1000;
/** The same where nothing has failed so far: a busy host or a slow S3, which may still have a refusal to tell. */
const SILENT_MS = 3000;

/** ObjectStore.checkBucket(). */
export type AskBucket = (options: { deadlineMs: number; signal: AbortSignal }) => Promise<void>;

/** Asks at once; what comes of it is told by one of the two methods. */
export class BucketCheck {
  readonly #ask: AskBucket;
  readonly #startedMs = performance.now();
  readonly #first = new AbortController();
  readonly #later = new AbortController();
  readonly #asked: Promise<StartError | undefined>;

  constructor(ask: AskBucket) {
    this.#ask = ask;
    this.#asked = this.#outcome(this.#first.signal);
  }

  /** For a first mount: rejects with StartError unless the bucket can be used. */
  async mustSucceed(): Promise<void> {
    const error = await this.#asked;
    if (error !== undefined) throw error;
  }

  /**
   * For a mount that was here before, and so has seen its bucket: resolves to a warning when S3 does not answer soon, as
   * names, cache and queue are of use without it; what S3 says later is logged. A refusal (keys, bucket, region) that comes
   * in time rejects with StartError all the same: no waiting mends it, and a mount that filled its spool unseen would
   * serve no one. The queue is kept meanwhile.
   */
  async mayFail(): Promise<string | undefined> {
    const timer = setTimeout(() => this.#first.abort(), this.#leftOf(AGAIN_MS));
    let outcome = await this.#asked;
    clearTimeout(timer);
    // nothing had gone wrong until the abort, but nothing had come either
    if (outcome?.kind === "interrupted" && this.#leftOf(SILENT_MS) > 0) {
      outcome = await this.#outcome(AbortSignal.timeout(this.#leftOf(SILENT_MS)));
    }
    if (outcome === undefined) return undefined;
    const isSilent = outcome.kind === "interrupted";
    if (!isSilent && outcome.kind !== "unavailable") throw outcome;
    void this.#askAgain();
    const reason = isSilent ? `no usable answer within ${SILENT_MS / 1000} s` : outcome.message;
    return `S3 cannot be used now (${reason}): what is known and cached is served, changes wait in the queue`;
  }

  #leftOf(ms: number): number {
    return Math.max(0, Math.round(this.#startedMs + ms - performance.now()));
  }

  /** Nobody wants to know any more. */
  cancel(): void {
    this.#first.abort();
    this.#later.abort();
  }

  /** Logs what a slow S3 says of the bucket, as the warning does not know it; never rejects. */
  async #askAgain(): Promise<void> {
    const outcome = await this.#outcome(this.#later.signal);
    if (outcome === undefined) log.info("S3 answers, the bucket can be used");
    // of silence the warning has told
    else if (outcome.kind !== "unavailable" && outcome.kind !== "interrupted") {
      log.error("%s", outcome.message);
    }
  }

  async #outcome(signal: AbortSignal): Promise<StartError | undefined> {
    try {
      await this.#ask({ deadlineMs: FIRST_MS, signal });
      return undefined;
    } catch (error) {
      return toStartError(error);
    }
  }
}
