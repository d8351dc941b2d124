// The question to the bucket at start, asked while everything else is opened.
import { type StartError, toStartError } from "./start-error.ts";

/** How long the bucket may take to answer when nothing is known of it, in ms. */
const FIRST_MS = 10_000;
/** The same where the mount can go on without an answer. */
const AGAIN_MS = 3000;

/** ObjectStore.checkBucket(). */
export type AskBucket = (options: { deadlineMs: number; signal: AbortSignal }) => Promise<void>;

/** Asks at once; what comes of it is told by one of the two methods. */
export class BucketCheck {
  readonly #abort = new AbortController();
  readonly #asked: Promise<StartError | undefined>;

  constructor(ask: AskBucket) {
    const asked = ask({ deadlineMs: FIRST_MS, signal: this.#abort.signal });
    this.#asked = asked.then(
      () => undefined,
      (error: unknown) => toStartError(error),
    );
  }

  /** For a first mount: rejects with StartError unless the bucket can be used. */
  async mustSucceed(): Promise<void> {
    const error = await this.#asked;
    if (error !== undefined) throw error;
  }

  /**
   * For a mount that was here before: resolves to a warning when S3 cannot be reached, as names, cache and queue are
   * of use without it. A refusal (keys, bucket, region) rejects with StartError all the same: S3 was there to say so,
   * no waiting mends it, and a mount that filled its spool unseen would serve no one. The queue is kept meanwhile.
   */
  async mayFail(): Promise<string | undefined> {
    const timer = setTimeout(() => this.#abort.abort(), AGAIN_MS);
    const outcome = await this.#asked;
    clearTimeout(timer);
    if (outcome === undefined) return undefined;
    // nothing had gone wrong until the abort, but nothing had come either
    const isSilent = outcome.kind === "interrupted";
    if (!isSilent && outcome.kind !== "unavailable") throw outcome;
    const reason = isSilent ? `no usable answer within ${AGAIN_MS / 1000} s` : outcome.message;
    return `S3 cannot be used now (${reason}): what is known and cached is served, changes wait in the queue`;
  }

  /** Nobody wants to know any more. */
  cancel(): void {
    this.#abort.abort();
  }
}
