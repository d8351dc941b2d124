// Ends one attempt: on its caller's abort, on the store's close, or after a silence.
import { setMaxListeners } from "node:events";
import { S3Failure } from "./s3-failure.ts";

/** One timer and one signal; `dispose` lets go of both. */
export class Watchdog {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #onAbort = (): void => this.#controller.abort(new Error("Aborted"));
  #timer: NodeJS.Timeout | undefined;
  #limitMs = Infinity;

  constructor(sources: readonly (AbortSignal | undefined)[]) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) {
      if (source.aborted) this.#onAbort();
      // one signal may stand over any number of requests: no leak, each is removed by dispose
      setMaxListeners(0, source);
      source.addEventListener("abort", this.#onAbort);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the attempt after `ms` without `touch`; Infinity never. */
  arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#limitMs = ms;
    this.#timer =
      ms === Infinity ? undefined : setTimeout(() => this.#expire(), Math.min(ms, 2 ** 31 - 1));
  }

  /** Progress: the silence starts again. */
  touch(): void {
    this.#timer?.refresh();
  }

  /** `work`, or a rejection as soon as the attempt is ended: for what does not listen to the signal. */
  async guard<T>(work: Promise<T>): Promise<T> {
    let onAbort: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.signal.reason);
      this.signal.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([work, ended]);
    } finally {
      if (onAbort !== undefined) this.signal.removeEventListener("abort", onAbort);
    }
  }

  disarm(): void {
    this.arm(Infinity);
  }

  dispose(): void {
    this.disarm();
    for (const source of this.#sources) source.removeEventListener("abort", this.#onAbort);
  }

  #expire(): void {
    const message = `nothing came for ${Math.round(this.#limitMs)} ms`;
    this.#controller.abort(new S3Failure({ code: "Timeout", message }));
  }
}
