// PUT and UploadPart: bytes of known length with their MD5, the answer's ETag compared.
import { log } from "../log.ts";
import { type ErrnoName, FsError } from "../posix/errno.ts";
import { isMd5Etag, unquoteEtag } from "./listing.ts";
import {
  attributeHeaders,
  conditionHeaders,
  creationHeaders,
  customerKeyHeaders,
  etagsAreMd5,
} from "./object-headers.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectKey,
  PutOptions,
  UploadSource,
  UploadedPart,
} from "./object-store.ts";
import type { S3Call, S3Reply } from "./s3-call.ts";
import type { S3Client } from "./s3-client.ts";
import { failureOf } from "./s3-failure.ts";

/** Contract: ObjectStore.putObject; `conditional`: the store does conditions atomically. */
export async function putObject(
  client: S3Client,
  key: ObjectKey,
  source: UploadSource,
  options: PutOptions = {},
  conditional = false,
): Promise<{ etag: string }> {
  const range = { start: 0, end: source.size };
  const headers = {
    ...creationHeaders(client.config, source.size),
    ...attributeHeaders(options),
  };
  const conditions = conditionHeaders(options, conditional);
  const call: S3Call = { verb: "PUT", method: "PUT", key, headers, options };
  const digest = Buffer.from(await source.md5(range));
  const state = client.newState(options);
  try {
    const conditioned = { ...call, headers: { ...headers, ...conditions } };
    return { etag: await send(client, conditioned, { source, range }, digest, state) };
  } catch (error) {
    if (failureOf(error)?.status !== 412) throw error;
    const before = await client.head(key, options);
    // an earlier attempt whose answer was lost had stored it
    if (state.failedAttempts > 0 && before?.etag === digest.toString("hex")) {
      return { etag: before.etag };
    }
    // some stores refuse the right ETag too; asking again for ever would not change that
    if (options.ifMatch !== undefined && before?.etag === options.ifMatch) {
      log.warn('S3 refuses If-Match with the right ETag, writing "%s" without', key);
      return { etag: await send(client, call, { source, range }, digest) };
    }
    const name: ErrnoName = options.ifNoneMatch === true ? "EEXIST" : "ESTALE";
    const message = error instanceof Error ? error.message : String(error);
    throw new FsError(name, message, { cause: failureOf(error) });
  }
}

/** Contract: ObjectStore.uploadPart. */
export async function uploadPart(
  client: S3Client,
  key: ObjectKey,
  uploadId: string,
  partNumber: number,
  upload: { source: UploadSource; range: ByteRange },
  options?: CallOptions,
): Promise<UploadedPart> {
  const query = { partNumber: String(partNumber), uploadId };
  const headers = customerKeyHeaders(client.config.encryption);
  const call: S3Call = { verb: "UPLOAD_PART", method: "PUT", key, query, headers, options };
  const digest = Buffer.from(await upload.source.md5(upload.range));
  return { partNumber, etag: await send(client, call, upload, digest) };
}

/** Sends the bytes, a second time when the answer's ETag is not their MD5; resolves to the ETag. */
async function send(
  client: S3Client,
  call: S3Call,
  upload: { source: UploadSource; range: ByteRange },
  digest: Buffer,
  state = client.newState(call.options),
): Promise<string> {
  const headers = { ...call.headers, "content-md5": digest.toString("base64") };
  const request = { ...call, headers, upload };
  client.customerKey?.refuseInClear(call.key);
  const answer = await client.request(request, state);
  client.customerKey?.sent(call.key, answer.headers);
  if (agrees(client, answer, digest)) return etagOf(answer);
  // the conditions would now refuse us: the first answer stored this very object
  const unconditional = Object.entries(headers).filter(([name]) => !name.startsWith("if-"));
  const again = { ...request, headers: Object.fromEntries(unconditional) };
  const second = await client.request(again, client.newState(call.options));
  const etag = etagOf(second);
  if (!agrees(client, second, digest)) {
    log.warn('S3 answers an ETag that is not the MD5 of "%s": %s', call.key ?? "", etag);
  }
  return etag;
}

function etagOf(reply: S3Reply): string {
  return unquoteEtag(reply.headers["etag"]);
}

function agrees(client: S3Client, answer: S3Reply, digest: Buffer): boolean {
  const etag = etagOf(answer);
  if (!isMd5Etag(etag) || !etagsAreMd5(client.config.encryption, answer.headers)) return true;
  return etag === digest.toString("hex");
}
