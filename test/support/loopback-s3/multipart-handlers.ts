// Multipart uploads: create, part, part by copy, complete, abort, the two listings.
import { randomUUID } from "node:crypto";
import { S3Refusal, element, xmlDocument } from "./answer.ts";
import { readBody } from "./bodies.ts";
import type { Bucket, Upload, UploadedPart } from "./bucket.ts";
import { checkWriteConditions, parseRange } from "./conditions.ts";
import { customerKeyOf, encryptionHeaders, encryptionOf, etagOfMd5 } from "./encryption.ts";
import {
  type Exchange,
  objectHeaders,
  receive,
  receiveText,
  reply,
  replyXml,
  shownEtag,
} from "./exchange.ts";
import { type Body, md5Hex } from "./objects.ts";
import { copySource } from "./object-handlers.ts";
import { header } from "./verbs.ts";

const minPartBytes = 5 * 2 ** 20;

function uploadOf(exchange: Exchange): Upload {
  const { query, key } = exchange.request;
  const upload = exchange.bucket.uploads.get(query.get("uploadId") ?? "");
  if (upload === undefined || upload.key !== key) throw new S3Refusal(404, "NoSuchUpload");
  return upload;
}

function openUpload(exchange: Exchange): Upload {
  const upload = uploadOf(exchange);
  if (upload.completedEtag !== undefined) throw new S3Refusal(404, "NoSuchUpload");
  return upload;
}

/** CreateMultipartUpload. */
export function createUpload(exchange: Exchange): void {
  const { key } = exchange.request;
  const id = randomUUID();
  const headers = objectHeaders(exchange);
  const encryption = encryptionOf(exchange.request.http, exchange.quirks);
  const parts = new Map<number, UploadedPart>();
  const started = exchange.now;
  exchange.bucket.uploads.set(id, { id, key, headers, encryption, parts, started });
  const content =
    element("Bucket", exchange.bucket.name) + element("Key", key) + element("UploadId", id);
  const document = xmlDocument("InitiateMultipartUploadResult", content);
  replyXml(exchange, document, encryptionHeaders(encryption));
}

function partNumberOf(exchange: Exchange): number {
  const partNumber = Number(exchange.request.query.get("partNumber"));
  if (Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= 10_000) return partNumber;
  throw new S3Refusal(400, "InvalidArgument");
}

// each part comes with the key that the upload was created with
function checkPartKey({ request: { http }, quirks }: Exchange, { encryption }: Upload): void {
  if (customerKeyOf(http, quirks) === encryption.customerKeyMd5) return;
  const text = "The multipart upload initiate requested encryption with another key.";
  throw new S3Refusal(400, "InvalidRequest", text);
}

/** UploadPart. */
export async function uploadPart(exchange: Exchange): Promise<void> {
  const upload = openUpload(exchange);
  const partNumber = partNumberOf(exchange);
  checkPartKey(exchange, upload);
  const { body, size, md5 } = await receive(exchange);
  const etag = shownEtag(exchange, etagOfMd5(md5.toString("hex"), upload.encryption));
  upload.parts.set(partNumber, { body, size, etag, lastModified: exchange.now });
  reply(exchange, 200, { ETag: `"${etag}"`, ...encryptionHeaders(upload.encryption) });
}

/** UploadPartCopy. */
export async function copyPart(
  exchange: Exchange,
  buckets: ReadonlyMap<string, Bucket>,
): Promise<void> {
  if (exchange.quirks.noUploadPartCopy === true) throw new S3Refusal(501, "NotImplemented");
  const upload = openUpload(exchange);
  const partNumber = partNumberOf(exchange);
  checkPartKey(exchange, upload);
  const source = copySource(exchange, buckets);
  const asked = header(exchange.request.http, "x-amz-copy-source-range");
  const { start, end } = parseRange(asked, source.size) ?? { start: 0, end: source.size };
  const body = await collect(source.body, start, end);
  const size = end - start;
  const etag = md5Hex(`${source.etag} ${start} ${end}`);
  upload.parts.set(partNumber, { body, size, etag, lastModified: exchange.now });
  const content =
    element("ETag", `"${etag}"`) + element("LastModified", new Date(exchange.now).toISOString());
  replyXml(exchange, xmlDocument("CopyPartResult", content));
}

async function collect(body: Body, start: number, end: number): Promise<Body> {
  if (body.kind === "ramp") return { kind: "ramp", seed: body.seed + start };
  const chunks: Buffer[] = [];
  for await (const chunk of readBody(body, start, end)) chunks.push(Buffer.from(chunk));
  return { kind: "memory", chunks };
}

/** CompleteMultipartUpload. */
export async function completeUpload(exchange: Exchange): Promise<void> {
  const { quirks, bucket } = exchange;
  const { key, http } = exchange.request;
  const upload = uploadOf(exchange);
  const text = await receiveText(exchange);
  if (upload.completedEtag !== undefined) {
    if (quirks.completeAgain404 === true) throw new S3Refusal(404, "NoSuchUpload");
    replyXml(exchange, completed(exchange, upload.completedEtag));
    return;
  }
  const parts = listedParts(exchange, upload, text);
  if (quirks.ignoreConditionalPut !== true) {
    checkWriteConditions(http, bucket.objects.get(key), quirks.ifMatchOnPutAlways412 === true);
  }
  const digests = Buffer.concat(parts.map((part) => Buffer.from(part.etag, "hex")));
  const etag =
    quirks.opaqueMultipartEtag === true ? randomUUID() : `${md5Hex(digests)}-${parts.length}`;
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const body: Body = { kind: "concat", parts: parts.map(({ body, size }) => ({ body, size })) };
  const { headers, encryption } = upload;
  bucket.put({ key, size, etag, lastModified: exchange.now, headers, ...encryption, body });
  upload.completedEtag = etag;
  upload.parts.clear();
  replyXml(exchange, completed(exchange, etag));
}

function completed(exchange: Exchange, etag: string): string {
  const { key } = exchange.request;
  return xmlDocument(
    "CompleteMultipartUploadResult",
    element("Bucket", exchange.bucket.name) + element("Key", key) + element("ETag", `"${etag}"`),
  );
}

function listedParts({ quirks }: Exchange, upload: Upload, text: string): UploadedPart[] {
  const listed = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = ""]) => ({
    number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: /<ETag>(?:"|&quot;|&#34;)?([^"&<]*)/.exec(part)?.[1],
  }));
  if (listed.length === 0) throw new S3Refusal(400, "MalformedXML");
  const parts = listed.map(({ number, etag }, i) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== etag) throw new S3Refusal(400, "InvalidPart");
    const before = listed[i - 1];
    if (before !== undefined && before.number >= number) {
      throw new S3Refusal(400, "InvalidPartOrder");
    }
    return part;
  });
  if (quirks.strayPartFailsComplete === true && upload.parts.size !== parts.length) {
    throw new S3Refusal(400, "InvalidPart");
  }
  const body = parts.slice(0, -1);
  if (quirks.smallParts !== true && body.some((part) => part.size < minPartBytes)) {
    throw new S3Refusal(400, "EntityTooSmall");
  }
  const [first] = parts;
  const last = parts.at(-1);
  const unequal = body.some((part) => part.size !== first?.size);
  if (quirks.equalPartsOnly === true && (unequal || (last?.size ?? 0) > (first?.size ?? 0))) {
    throw new S3Refusal(400, "InvalidPart", "All non-trailing parts must have the same length.");
  }
  return parts;
}

/** AbortMultipartUpload. */
export function abortUpload(exchange: Exchange): void {
  exchange.bucket.uploads.delete(openUpload(exchange).id);
  reply(exchange, 204);
}

/** ListParts, one page. */
export function listParts(exchange: Exchange): void {
  const upload = openUpload(exchange);
  const parts = [...upload.parts].sort(([a], [b]) => a - b);
  const content = parts.map(
    ([number, { etag, size, lastModified }]) =>
      `<Part>${element("PartNumber", number)}${element("ETag", `"${etag}"`)}${element("Size", size)}` +
      `${element("LastModified", new Date(lastModified).toISOString())}</Part>`,
  );
  const head = element("UploadId", upload.id) + element("IsTruncated", false);
  replyXml(exchange, xmlDocument("ListPartsResult", head + content.join("")));
}

/** ListMultipartUploads, one page. */
export function listUploads(exchange: Exchange): void {
  const prefix = exchange.request.query.get("prefix") ?? "";
  const open = [...exchange.bucket.uploads.values()].filter(
    (upload) => upload.completedEtag === undefined && upload.key.startsWith(prefix),
  );
  const content = open.map(
    ({ id, key, started }) =>
      `<Upload>${element("Key", key)}${element("UploadId", id)}` +
      `${element("Initiated", new Date(started).toISOString())}</Upload>`,
  );
  const document = element("IsTruncated", false) + content.join("");
  replyXml(exchange, xmlDocument("ListMultipartUploadsResult", document));
}
