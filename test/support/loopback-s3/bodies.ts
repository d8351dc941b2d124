// Reading stored bodies by range and receiving uploaded ones, streaming both ways without copies.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import type { IncomingMessage } from "node:http";
import type { Body } from "./objects.ts";

const rampPeriod = 251;
const rampBlock = rampPeriod * 1024;
const ramp = Buffer.alloc(rampBlock + rampPeriod, 0).map((_, i) => i % rampPeriod) as Buffer;
const sliceBytes = 256 * 1024;

// Bytes [start, end) of a body.
export async function* readBody(
  body: Body,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array> {
  if (start >= end) return;
  switch (body.kind) {
    case "memory":
      yield* readChunks(body.chunks, start, end);
      break;
    case "file":
      yield* createReadStream(body.path, { start, end: end - 1, highWaterMark: sliceBytes });
      break;
    case "ramp":
      for (let at = start; at < end;) {
        const phase = (at + body.seed) % rampPeriod;
        const length = Math.min(rampBlock, end - at);
        yield ramp.subarray(phase, phase + length);
        at += length;
      }
      break;
    case "concat": {
      let base = 0;
      for (const part of body.parts) {
        const from = Math.max(start - base, 0);
        const to = Math.min(end - base, part.size);
        if (from < to) yield* readBody(part.body, from, to);
        base += part.size;
      }
      break;
    }
  }
}

function* readChunks(chunks: readonly Buffer[], start: number, end: number): Generator<Buffer> {
  let base = 0;
  for (const chunk of chunks) {
    const from = Math.max(start - base, 0);
    const to = Math.min(end - base, chunk.length);
    for (let at = from; at < to; at += sliceBytes) {
      yield chunk.subarray(at, Math.min(at + sliceBytes, to));
    }
    base += chunk.length;
    if (base >= end) return;
  }
}

export interface Received {
  readonly body: Body;
  readonly size: number;
  readonly md5: Buffer;
  /** Hex; only when asked for. */
  readonly sha256: string | undefined;
}

export interface ReceiveOptions {
  /** Write the bytes to this file instead of keeping them. */
  readonly path: string | undefined;
  readonly sha256: boolean;
  /** Bytes per second; 0 is no limit. */
  readonly bandwidth: number;
}

/** Receives a request's body to its end, digests computed as it streams. */
export async function receiveBody(
  http: IncomingMessage,
  options: ReceiveOptions,
): Promise<Received> {
  const md5 = createHash("md5");
  const sha256 = options.sha256 ? createHash("sha256") : undefined;
  const chunks: Buffer[] = [];
  const file = options.path === undefined ? undefined : createWriteStream(options.path);
  const pace = new Pace(options.bandwidth);
  let size = 0;
  for await (const chunk of http as AsyncIterable<Buffer>) {
    size += chunk.length;
    md5.update(chunk);
    sha256?.update(chunk);
    if (file === undefined) chunks.push(chunk);
    else if (!file.write(chunk)) await once(file, "drain");
    await pace.passed(chunk.length);
  }
  if (file !== undefined) {
    file.end();
    await once(file, "close");
  }
  const body: Body =
    options.path === undefined ? { kind: "memory", chunks } : { kind: "file", path: options.path };
  return { body, size, md5: md5.digest(), sha256: sha256?.digest("hex") };
}

/** Holds a stream to a rate in bytes per second (0: no limit). */
export class Pace {
  readonly #rate: number;
  readonly #start = performance.now();
  #bytes = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Resolves when `bytes` more may be taken as sent. */
  async passed(bytes: number): Promise<void> {
    if (this.#rate <= 0) return;
    this.#bytes += bytes;
    const aheadMs = (this.#bytes / this.#rate) * 1000 - (performance.now() - this.#start);
    if (aheadMs > 2) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
}
