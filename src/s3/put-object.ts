// PUT and UploadPart: bytes of known length with their MD5, the answer's ETag compared.
import { log } from "../log.ts";
import { type ErrnoName, FsError } from "../posix/errno.ts";
import { unquoteEtag } from "./listing.ts";
import {
  attributeHeaders,
  conditionHeaders,
  creationHeaders,
  customerKeyHeaders,
} from "./object-headers.ts";
import type {
  ByteRange,
  CallOptions,
  ObjectKey,
  PutOptions,
  UploadSource,
  UploadedPart,
} from "./object-store.ts";
import type { RetryState } from "./retry.ts";
import type { S3Call, S3Reply } from "./s3-call.ts";
import type { S3Client } from "./s3-client.ts";
import { failureOf } from "./s3-failure.ts";
import { agrees, verifyUpload } from "./verify-upload.ts";

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
  const sent = { range, md5: digest.toString("hex") };
  const whole = async (sending: S3Call, sendState?: RetryState): Promise<{ etag: string }> => {
    const told = await send(client, sending, { source, range }, digest, sendState);
    if (told.agrees) return { etag: told.etag };
    return { etag: await verifyUpload(client, key, told.etag, [sent], options) };
  };
  try {
    return await whole({ ...call, headers: { ...headers, ...conditions } }, state);
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
      return whole(call);
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
  const { etag, agrees: isProven } = await send(client, call, upload, digest);
  const part = { partNumber, etag };
  // a part cannot be read back before it is an object's
  return isProven
    ? part
    : { ...part, doubted: { range: upload.range, md5: digest.toString("hex") } };
}

/** Sends the bytes, a second time when the answer's ETag is not their MD5; resolves to the ETag and whether it is. */
async function send(
  client: S3Client,
  call: S3Call,
  upload: { source: UploadSource; range: ByteRange },
  digest: Buffer,
  state = client.newState(call.options),
): Promise<{ etag: string; agrees: boolean }> {
  const headers = { ...call.headers, "content-md5": digest.toString("base64") };
  const request = { ...call, headers, upload };
  client.customerKey?.refuseInClear(call.key);
  const first = await client.request(request, state);
  client.customerKey?.sent(call.key, first.headers);
  const etag = etagOf(first);
  if (agrees(client, first, etag, digest)) return { etag, agrees: true };
  // the conditions would now refuse us: the first answer stored this very object
  const unconditional = Object.entries(headers).filter(([name]) => !name.startsWith("if-"));
  const again = { ...request, headers: Object.fromEntries(unconditional) };
  const second = await client.request(again, client.newState(call.options));
  const etagAgain = etagOf(second);
  const isProven = agrees(client, second, etagAgain, digest);
  if (!isProven) {
    log.warn(
      'S3 answered two uploads of "%s" with ETags that are not its MD5, last %s: it is read back',
      call.key ?? "",
      etagAgain,
    );
  }
  return { etag: etagAgain, agrees: isProven };
}

function etagOf(reply: S3Reply): string {
  return unquoteEtag(reply.headers["etag"]);
}
