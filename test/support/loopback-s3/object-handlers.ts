// GET, HEAD, PUT, DELETE, COPY of one object, and DeleteObjects.
import { S3Refusal, element, xmlDocument } from "./answer.ts";
import { readBody } from "./bodies.ts";
import type { Bucket } from "./bucket.ts";
import { checkReadConditions, checkWriteConditions, parseRange } from "./conditions.ts";
import {
  checkCustomerKey,
  customerKeyOf,
  encryptionHeaders,
  encryptionOf,
  etagOfMd5,
} from "./encryption.ts";
import {
  type Exchange,
  objectHeaders,
  receive,
  receiveText,
  reply,
  replyBody,
  replyXml,
  shownEtag,
} from "./exchange.ts";
import type { StoredObject } from "./objects.ts";
import { header } from "./verbs.ts";

function found(exchange: Exchange): StoredObject {
  const object = exchange.bucket.objects.get(exchange.request.key);
  if (object !== undefined) return object;
  throw new S3Refusal(404, "NoSuchKey", "The specified key does not exist.");
}

function infoHeaders(object: StoredObject): Record<string, string | number> {
  return {
    "Content-Type": "binary/octet-stream",
    ...object.headers,
    ...encryptionHeaders(object),
    ETag: `"${object.etag}"`,
    "Last-Modified": new Date(object.lastModified).toUTCString(),
    "Accept-Ranges": "bytes",
  };
}

/** HEAD of an object. */
export function headObject(exchange: Exchange): void {
  const object = found(exchange);
  const { response, quirks } = exchange;
  checkCustomerKey(object.customerKeyMd5, customerKeyOf(exchange.request.http, quirks));
  checkReadConditions(exchange.request.http, object);
  response.writeHead(200, { ...infoHeaders(object), "Content-Length": object.size });
  response.end();
}

/** GET of an object or a range of it. */
export async function getObject(exchange: Exchange): Promise<void> {
  const { http } = exchange.request;
  const object = found(exchange);
  checkCustomerKey(object.customerKeyMd5, customerKeyOf(http, exchange.quirks));
  refuseArchived(object);
  if (exchange.quirks.ignoreIfMatchOnGet !== true) checkReadConditions(http, object);
  const asked = exchange.quirks.ignoreRange === true ? undefined : header(http, "range");
  const range = parseRange(asked, object.size);
  const { start, end } = range ?? { start: 0, end: object.size };
  const headers = {
    ...infoHeaders(object),
    "Content-Length": end - start,
    ...(range === undefined ? {} : { "Content-Range": `bytes ${start}-${end - 1}/${object.size}` }),
  };
  const body = readBody(object.body, start, end);
  await replyBody(exchange, range === undefined ? 200 : 206, headers, body);
}

function refuseArchived({ headers }: StoredObject): void {
  if (!/^(GLACIER|DEEP_ARCHIVE)$/.test(headers["x-amz-storage-class"] ?? "")) return;
  const text = "The operation is not valid for the object's storage class";
  throw new S3Refusal(403, "InvalidObjectState", text);
}

/** PUT of an object. */
export async function putObject(exchange: Exchange): Promise<void> {
  const { bucket, quirks } = exchange;
  const { key, http } = exchange.request;
  checkHierarchy(exchange);
  const headers = objectHeaders(exchange);
  const encryption = encryptionOf(http, quirks);
  const received = await receive(exchange);
  // after the body: the check and the store are one step, as on servers that do this atomically
  const conditional = header(http, "if-match") ?? header(http, "if-none-match");
  if (conditional !== undefined && quirks.conditionalPut501 === true) {
    throw new S3Refusal(501, "NotImplemented");
  }
  if (quirks.ignoreConditionalPut !== true) {
    checkWriteConditions(http, bucket.objects.get(key), quirks.ifMatchOnPutAlways412 === true);
  }
  const etag = shownEtag(exchange, etagOfMd5(received.md5.toString("hex"), encryption));
  const { size, body } = received;
  bucket.put({ key, size, etag, lastModified: exchange.now, headers, ...encryption, body });
  reply(exchange, 200, { ETag: `"${etag}"`, ...encryptionHeaders(encryption) });
}

function checkHierarchy({ bucket, quirks, request: { key } }: Exchange): void {
  if (quirks.hierarchicalKeys !== true) return;
  const next = bucket.objects.keys[bucket.objects.firstFrom(`${key}/`)];
  if (next?.startsWith(`${key}/`) === true) throw new S3Refusal(409, "ExistingObjectIsDirectory");
  for (let at = key.indexOf("/"); at > 0; at = key.indexOf("/", at + 1)) {
    if (bucket.objects.get(key.slice(0, at)) === undefined) continue;
    throw new S3Refusal(409, "ObjectParentIsFile");
  }
}

/** DELETE of an object; absent is fine, unless a condition names a version. */
export function deleteObject(exchange: Exchange): void {
  const { bucket, request } = exchange;
  checkWriteConditions(request.http, bucket.objects.get(request.key), false);
  bucket.delete(request.key);
  reply(exchange, 204);
}

/** DeleteObjects: up to 1000 keys in one request. */
export async function deleteMany(exchange: Exchange): Promise<void> {
  const text = await receiveText(exchange);
  const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map((m) => unescapeXml(m[1] ?? ""));
  if (keys.length > 1000) throw new S3Refusal(400, "MalformedXML");
  for (const key of keys) exchange.bucket.delete(key);
  const quiet = /<Quiet>true<\/Quiet>/.test(text);
  const deleted = quiet ? [] : keys.map((k) => `<Deleted>${element("Key", k)}</Deleted>`);
  replyXml(exchange, xmlDocument("DeleteResult", deleted.join("")));
}

function unescapeXml(text: string): string {
  return text
    .replace(/&#(x?)([0-9a-f]+);/gi, (_, x: string, n: string) =>
      String.fromCodePoint(Number.parseInt(n, x === "" ? 10 : 16)),
    )
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}

/** The object x-amz-copy-source names, its conditions checked. */
export function copySource(exchange: Exchange, buckets: ReadonlyMap<string, Bucket>): StoredObject {
  const { http } = exchange.request;
  const source = decodeURIComponent(header(http, "x-amz-copy-source") ?? "").replace(/^\//, "");
  const slash = source.indexOf("/");
  const bucket = buckets.get(source.slice(0, slash));
  if (bucket === undefined) throw new S3Refusal(404, "NoSuchBucket");
  const object = bucket.objects.get(source.slice(slash + 1));
  if (object === undefined) throw new S3Refusal(404, "NoSuchKey");
  checkCustomerKey(object.customerKeyMd5, customerKeyOf(http, exchange.quirks, "copy-source-"));
  refuseArchived(object);
  const ifMatch = header(http, "x-amz-copy-source-if-match")?.replace(/"/g, "");
  const ignored = exchange.quirks.ignoreCopySourceIfMatch === true;
  if (ifMatch !== undefined && ifMatch !== object.etag && !ignored) {
    throw new S3Refusal(412, "PreconditionFailed");
  }
  return object;
}

/** CopyObject. */
export function copyObject(exchange: Exchange, buckets: ReadonlyMap<string, Bucket>): void {
  if (exchange.quirks.noCopy === true) throw new S3Refusal(501, "NotImplemented");
  const source = copySource(exchange, buckets);
  if (source.size > 5 * 2 ** 30) throw new S3Refusal(400, "InvalidRequest");
  const { key, http } = exchange.request;
  checkHierarchy(exchange);
  const replace = header(http, "x-amz-metadata-directive") === "REPLACE";
  const headers = replace ? objectHeaders(exchange) : copiedHeaders(exchange, source);
  const encryption = encryptionOf(http, exchange.quirks);
  // both objects must be able to go by themselves, so a file body is not shared
  const body = source.body.kind === "file" ? exchange.bucket.copyBody(source.body) : source.body;
  const md5 = source.etag.includes("-") ? source.etag.slice(0, 32) : source.etag;
  const etag = shownEtag(exchange, etagOfMd5(md5, encryption));
  const { size } = source;
  exchange.bucket.put({
    key,
    size,
    etag,
    headers,
    body,
    ...encryption,
    lastModified: exchange.now,
  });
  const shown = exchange.quirks.unquotedCopyEtag === true ? etag : `"${etag}"`;
  const content =
    element("ETag", shown) + element("LastModified", new Date(exchange.now).toISOString());
  replyXml(exchange, xmlDocument("CopyObjectResult", content), encryptionHeaders(encryption));
}

// metadata goes along, storage class and ACL are those that the request names
function copiedHeaders(exchange: Exchange, source: StoredObject): Record<string, string> {
  const own = Object.entries(objectHeaders(exchange)).filter(([name]) => /class$|acl$/.test(name));
  const kept = Object.entries(source.headers).filter(([name]) => !/class$|acl$/.test(name));
  return Object.fromEntries([...kept, ...own]);
}
