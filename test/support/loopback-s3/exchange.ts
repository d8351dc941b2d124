// One request being answered: what handlers see, and how they answer, with the faults of answers.
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { S3Refusal, errorDocument } from "./answer.ts";
import { type Received, Pace, receiveBody } from "./bodies.ts";
import type { Bucket } from "./bucket.ts";
import type { FaultEffect } from "./faults.ts";
import { md5Hex } from "./objects.ts";
import type { Quirks } from "./quirks.ts";
import { type S3Request, header } from "./verbs.ts";

export interface Exchange {
  readonly request: S3Request;
  readonly response: ServerResponse;
  readonly bucket: Bucket;
  readonly quirks: Quirks;
  readonly effect: FaultEffect | undefined;
  /** The server's clock, ms. */
  readonly now: number;
  /** Bytes per second for each body; 0: no limit. */
  readonly bandwidth: number;
  readonly strict: boolean;
}

type Headers = Readonly<Record<string, string | number>>;

/** Answers with headers and a short text (or nothing). */
export function reply(exchange: Exchange, status: number, headers: Headers = {}, text = ""): void {
  const { response, effect } = exchange;
  if (effect?.kind === "lostAnswer") {
    response.socket?.resetAndDestroy();
    return;
  }
  if (effect?.kind === "errorThoughStored") {
    replyRefusal(exchange, new S3Refusal(effect.status, "InternalError"));
    return;
  }
  response.writeHead(status, {
    ...withEffect(headers, effect),
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers with an XML document. */
export function replyXml(exchange: Exchange, xml: string, headers: Headers = {}): void {
  reply(exchange, 200, { "Content-Type": "application/xml", ...headers }, xml);
}

/** Answers with an S3 error. */
export function replyRefusal(
  exchange: Pick<Exchange, "response" | "request" | "quirks">,
  refusal: S3Refusal,
): void {
  const { response, request } = exchange;
  const bare = request.method === "HEAD" || refusal.status === 304 || exchange.quirks.bareErrors;
  const text = bare === true ? "" : errorDocument(refusal, request.path, randomUUID());
  response.writeHead(refusal.status, {
    ...refusal.headers,
    ...(text === "" ? {} : { "Content-Type": "application/xml" }),
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Sends a body of known length, held to the bandwidth, torn where a fault says so. */
export async function replyBody(
  exchange: Exchange,
  status: number,
  headers: Headers,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { response, effect } = exchange;
  response.writeHead(status, withEffect(headers, effect));
  const pace = new Pace(effect?.kind === "slowBody" ? effect.bytesPerSecond : exchange.bandwidth);
  const limit = effect !== undefined && "afterBytes" in effect ? effect.afterBytes : Infinity;
  let sent = 0;
  for await (const chunk of body) {
    const part = sent + chunk.length > limit ? chunk.subarray(0, limit - sent) : chunk;
    sent += part.length;
    const room = response.write(part);
    if (sent >= limit) {
      await tear(response, effect);
      return;
    }
    // gone while we waited: nothing more will be told
    if (!room && !response.destroyed) await drained(response);
    if (response.destroyed) return;
    await pace.passed(part.length);
  }
  response.end();
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

async function tear(response: ServerResponse, effect: FaultEffect | undefined): Promise<void> {
  // what was written must leave before the connection goes
  await new Promise<void>((resolve) => response.write("", () => resolve()));
  if (effect?.kind === "resetBody") response.socket?.resetAndDestroy();
  if (effect?.kind === "truncateBody") response.socket?.end();
}

/** The ETag that new bytes get, which else would be `etag`. */
export function shownEtag({ quirks }: Pick<Exchange, "quirks">, etag: string): string {
  return quirks.opaqueEtags === true ? md5Hex(randomUUID()) : etag;
}

function withEffect(headers: Headers, effect: FaultEffect | undefined): Headers {
  if (effect?.kind !== "wrongEtag" || headers["ETag"] === undefined) return headers;
  return { ...headers, ETag: `"${md5Hex("wrong")}"` };
}

/** Receives a body that is a document; rejects as receive(). */
export async function receiveText(exchange: Exchange): Promise<string> {
  const { body } = await receiveInto(exchange, undefined);
  return Buffer.concat(body.kind === "memory" ? body.chunks : []).toString();
}

/** Receives the request's body where the bucket keeps its objects, and verifies its digests and length. */
export async function receive(exchange: Exchange): Promise<Received> {
  return receiveInto(exchange, exchange.bucket.newBodyPath());
}

async function receiveInto(exchange: Exchange, path: string | undefined): Promise<Received> {
  const { http } = exchange.request;
  const declared = header(http, "x-amz-content-sha256") ?? "UNSIGNED-PAYLOAD";
  if (declared.startsWith("STREAMING-")) throw new S3Refusal(501, "NotImplemented");
  const length = header(http, "content-length");
  if (length === undefined) throw new S3Refusal(411, "MissingContentLength");
  const signed = /^[0-9a-f]{64}$/.test(declared);
  const received = await receiveBody(http, {
    path,
    sha256: exchange.strict && signed,
    bandwidth: exchange.bandwidth,
  });
  if (received.size !== Number(length)) throw new S3Refusal(400, "IncompleteBody");
  if (received.sha256 !== undefined && received.sha256 !== declared) {
    throw new S3Refusal(400, "XAmzContentSHA256Mismatch");
  }
  const md5 = header(http, "content-md5");
  if (md5 !== undefined && md5 !== received.md5.toString("base64")) {
    throw new S3Refusal(400, md5.length === 24 ? "BadDigest" : "InvalidDigest");
  }
  if (exchange.effect?.kind !== "corruptUpload") return received;
  const bytes = Buffer.concat(received.body.kind === "memory" ? received.body.chunks : []);
  if (bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(0) ^ 0xff, 0);
  const corrupt = Buffer.from(md5Hex(bytes), "hex");
  return { ...received, body: { kind: "memory", chunks: [bytes] }, md5: corrupt };
}

const keptHeader =
  /^(content-type|content-encoding|cache-control|x-amz-meta-.*|x-amz-storage-class|x-amz-acl)$/;

/** The headers of an upload that its object answers with. */
export function objectHeaders(exchange: Exchange): Record<string, string> {
  const all = Object.entries(exchange.request.http.headers);
  const kept = all.filter(([name]) => keptHeader.test(name)).map(([name, v]) => [name, String(v)]);
  const headers = Object.fromEntries(kept) as Record<string, string>;
  const storageClass = headers["x-amz-storage-class"] ?? "STANDARD";
  if (exchange.quirks.onlyStandardStorageClass === true && storageClass !== "STANDARD") {
    throw new S3Refusal(400, "InvalidStorageClass");
  }
  return headers;
}
