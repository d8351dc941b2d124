// One HTTP exchange over kept connections; no retries, no S3.
import { Agent } from "undici";
import { IncomingBody } from "./incoming-body.ts";
import { RECEIVE_BYTES, ReceiveBuffers, SMALL_BYTES } from "./receive-buffers.ts";

export interface HttpRequest {
  readonly method: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Encoded path and query as they go on the wire. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<Uint8Array> | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: IncomingBody;
}

export interface TransportOptions {
  readonly connectTimeoutMs: number;
  /** PEM certificates to trust in place of the usual ones. */
  readonly ca?: string | undefined;
}

/** Kept connections to any number of hosts. */
export class Transport {
  /** Bytes of bodies so far, those of broken answers too. */
  receivedBytes = 0;
  readonly #agent: Agent;
  #settling: Promise<void> | undefined;

  constructor(options: TransportOptions) {
    // passed on to net.connect() and tls.connect(); undici's types do not say so
    const receiving = {
      onread: new ReceiveBuffers().onread,
      highWaterMark: undefined,
      readableHighWaterMark: 2 * RECEIVE_BYTES,
      // below a chunk of an upload: undici then asks for the next one when this one has gone to the kernel
      writableHighWaterMark: 64 * 1024,
    };
    this.#agent = new Agent({
      connections: null,
      pipelining: 1,
      maxHeaderSize: SMALL_BYTES,
      // S3 closes idle connections after about 20 s; a shorter time avoids using one that is about to go
      keepAliveTimeout: 15_000,
      keepAliveMaxTimeout: 60_000,
      // the caller watches for progress itself
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: options.connectTimeoutMs,
        ...receiving,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      },
    });
  }

  /** Resolves when the headers are there; rejects with the connection's error, or with `signal`'s reason on abort. */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const settle = (): void => this.#settle();
    const received = (bytes: number): void => {
      this.receivedBytes += bytes;
    };
    await this.#settling;
    return new Promise<HttpAnswer>((resolve, reject) => {
      let body: IncomingBody | undefined;
      let cancel: ((reason: Error) => void) | undefined;
      const onAbort = (): void => {
        const reason: Error = signal.reason instanceof Error ? signal.reason : new Error("Aborted");
        // also while still connecting, when there is nothing to cancel yet
        body?.fail(reason);
        reject(reason);
        cancel?.(reason);
      };
      const finish = (): void => signal.removeEventListener("abort", onAbort);
      signal.addEventListener("abort", onAbort);
      this.#agent.dispatch(dispatchOptions(request), {
        onRequestStart(controller) {
          cancel = (reason) => controller.abort(reason);
          if (signal.aborted) onAbort();
        },
        onResponseStart(controller, status, headers) {
          if (status < 200) return;
          body = new IncomingBody({
            pause: () => controller.pause(),
            resume: () => controller.resume(),
            abort: (reason) => controller.abort(reason),
          });
          resolve({ status, headers: flatHeaders(headers), body });
        },
        onResponseData(_, chunk) {
          received(chunk.length);
          body?.push(chunk);
        },
        onResponseEnd() {
          finish();
          settle();
          body?.end();
        },
        onResponseError(_, error) {
          finish();
          body?.fail(error);
          reject(error);
        },
      });
    });
  }

  /**
   * undici offers a connection again one turn of the event loop after an answer's end: who asks sooner would open a
   * new one, so that twice as many would be in use.
   */
  #settle(): void {
    const settled = new Promise<void>((resolve) => {
      // behind undici's own setImmediate
      queueMicrotask(() => setImmediate(resolve));
    });
    this.#settling = settled;
    void settled.then(() => {
      if (this.#settling === settled) this.#settling = undefined;
    });
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function dispatchOptions(request: HttpRequest): Parameters<Agent["dispatch"]>[0] {
  return {
    origin: request.origin,
    path: request.path,
    method: request.method as "GET",
    headers: request.headers,
    // undici takes async iterables of known length, its types do not say so
    body: (request.body ?? null) as string | null,
    // without it undici closes the connection after each HEAD
    reset: false,
  };
}

function flatHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    flat[name] = Array.isArray(value) ? value.join(", ") : String(value);
  }
  return flat;
}
