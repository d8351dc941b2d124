// Whether S3 is away as a whole, and what is tried meanwhile.
import type { Operation } from "./operation.ts";

/** So many failures in a row, with no success, are not the fault of keys. */
const OUTAGE_FAILURES = 4;
/** During an outage so many operations at a time find out whether it is over. */
const PROBES = 2;
const LONGEST_PAUSE_MS = 3000;
/** Pause for each operation that was refused: there may be others behind it that are not. */
const REFUSED_PAUSE_MS = 10;
/** Of refused operations so many are remembered, to count each once. */
const MOST_REFUSED = LONGEST_PAUSE_MS / REFUSED_PAUSE_MS;
/** A probe beside a patient one does not wait longer for an S3 that is silent, so that its return is seen soon. */
const QUICK_PROBE_MS = 4000;

/** One attempt during an outage. */
export interface Probe {
  /** Fires when the outage is over and went on after the start of the attempt, which may hang on a dead connection. */
  readonly signal: AbortSignal;
  /** To be used as the deadline of its requests; undefined: the usual one. */
  readonly deadlineMs: number | undefined;
  /** The attempt has ended. */
  end(): void;
}

interface RunningProbe {
  readonly operation: Operation;
  readonly startedMs: number;
  readonly controller: AbortController;
  readonly isQuick: boolean;
}

/** Everything pauses but for probes, so that a long queue does not mean many requests; the first success ends it. */
export class Outage {
  readonly #minMs: number;
  readonly #longestMs: number;
  readonly #resume: () => void;
  #failures = 0;
  /** Those that were refused since the last success: each counts once, since it may be to blame itself. */
  readonly #refused = new Set<Operation>();
  #pause: NodeJS.Timeout | undefined;
  readonly #probes = new Set<RunningProbe>();
  #lastFailureMs = -Infinity;

  /** `resume` is called when operations may start again. */
  constructor(pauses: { readonly minMs: number; readonly maxMs: number }, resume: () => void) {
    this.#minMs = pauses.minMs;
    this.#longestMs = Math.min(pauses.maxMs, LONGEST_PAUSE_MS);
    this.#resume = resume;
  }

  get isOn(): boolean {
    return this.#failures + this.#refused.size >= OUTAGE_FAILURES;
  }

  /** How many operations may be under way. */
  get limit(): number {
    if (this.#pause !== undefined) return 0;
    return this.isOn ? PROBES : Infinity;
  }

  /** An attempt failed for a reason that is not certain to be its own. */
  failed(operation: Operation, isRefused: boolean): void {
    this.#lastFailureMs = performance.now();
    if (!isRefused) this.#failures += 1;
    else if (this.#refused.size < MOST_REFUSED) this.#refused.add(operation);
    if (!this.isOn || this.#pause !== undefined) return;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#resume();
    }, Math.random() * this.#pauseMs());
    this.#pause.unref();
  }

  /** The operation is done or cancelled. */
  forget(operation: Operation): void {
    // what was seen of S3 by it still holds
    if (!this.isOn) this.#refused.delete(operation);
  }

  /** Something succeeded; returns whether that ended an outage. */
  over(): boolean {
    const wasOn = this.isOn;
    this.#failures = 0;
    this.#refused.clear();
    this.endPause();
    for (const { operation, startedMs, controller } of this.#probes) {
      const { record } = operation;
      // what moves by parts has its own way to go on
      const isByParts = record.kind === "put" && record.uploadId !== undefined;
      if (startedMs < this.#lastFailureMs && !isByParts) controller.abort();
    }
    return wasOn;
  }

  /** Someone waits for the next probe, or it is all over. */
  endPause(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }

  /** For an attempt that starts now; undefined when there is no outage. */
  probe(operation: Operation): Probe | undefined {
    if (!this.isOn) return undefined;
    const controller = new AbortController();
    // a slow S3 gets its answers through by the patient one
    const isQuick = [...this.#probes].some((probe) => !probe.isQuick);
    const running = { operation, startedMs: performance.now(), controller, isQuick };
    this.#probes.add(running);
    return {
      signal: controller.signal,
      deadlineMs: isQuick ? QUICK_PROBE_MS : undefined,
      end: () => this.#probes.delete(running),
    };
  }

  #pauseMs(): number {
    const beyond = this.#failures + this.#refused.size - OUTAGE_FAILURES;
    const broken = this.#failures === 0 ? 0 : this.#minMs * 2 ** Math.min(beyond, 20);
    return Math.min(this.#longestMs, Math.max(broken, REFUSED_PAUSE_MS * this.#refused.size));
  }
}
