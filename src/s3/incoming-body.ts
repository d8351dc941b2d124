// An answer's body: chunks as they arrive, poured into a sink at once, or kept for an iterator, and the connection held
// back while nobody takes them.

/** What the transport must offer to hold back or end the connection. */
export interface BodyControl {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** Takes a chunk, lent for the length of the call; returns whether it wants more. */
export type BodySink = (chunk: Uint8Array) => boolean;

const maxQueuedBytes = 512 * 1024;
const minResumeBytes = 128 * 1024;

/** One consumer; leaving the loop early ends the connection. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  readonly #control: BodyControl;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #paused = false;
  #ended = false;
  #isEnough = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #sink: BodySink | undefined;

  constructor(control: BodyControl) {
    this.#control = control;
  }

  /** Takes a chunk that is the caller's again afterwards. */
  push(chunk: Uint8Array): void {
    // what came before a failure may be asked for again already: nothing is poured beside that
    if (this.#error !== undefined) return;
    if (this.#sink !== undefined) {
      if (this.#isEnough || this.#sink(chunk)) return;
      this.#isEnough = true;
      this.#notify();
      return;
    }
    this.#chunks.push(new Uint8Array(chunk));
    this.#queuedBytes += chunk.length;
    if (!this.#paused && this.#queuedBytes > maxQueuedBytes) {
      this.#paused = true;
      this.#control.pause();
    }
    this.#notify();
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#notify();
  }

  /** Ends the connection, unless the body is complete. */
  cancel(): void {
    if (this.#ended) return;
    this.fail(new Error("Body cancelled"));
    this.#control.abort(new Error("Body cancelled"));
  }

  /** A chunk that is there already. */
  take(): Uint8Array | undefined {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#queuedBytes -= chunk.length;
    if (this.#paused && this.#queuedBytes < minResumeBytes) {
      this.#paused = false;
      this.#control.resume();
    }
    return chunk;
  }

  /** The next chunk; undefined at the end; rejects when the connection broke. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.take();
      if (chunk !== undefined) return chunk;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Pours until the end or until the sink has enough; rejects when the connection broke before. */
  async pour(sink: BodySink): Promise<void> {
    for (let chunk = this.take(); chunk !== undefined; chunk = this.take()) {
      if (!sink(chunk)) return;
    }
    this.#sink = sink;
    while (!this.#ended && !this.#isEnough && this.#error === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#error !== undefined && !this.#isEnough) throw this.#error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = await this.next();
        if (chunk === undefined) return;
        yield chunk;
      }
    } finally {
      this.cancel();
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
