// An answer's body as an async iterable: chunks as they arrive, the connection held back while nobody takes them.

/** What the transport must offer to hold back or end the connection. */
export interface BodyControl {
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

const maxQueuedBytes = 512 * 1024;
const minResumeBytes = 128 * 1024;

/** One consumer; leaving the loop early ends the connection. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  readonly #control: BodyControl;
  readonly #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(control: BodyControl) {
    this.#control = control;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
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
