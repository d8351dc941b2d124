// Multipart uploads: create, complete, abort, and parts copied from another object.
import { createHash } from "node:crypto";
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
  UploadedPart,
} from "./object-store.ts";
import { encodeKey } from "./endpoint.ts";
import type { S3Client } from "./s3-client.ts";
import { toFsError } from "./s3-error.ts";
import { S3Failure, failureOf } from "./s3-failure.ts";
import { verifyUpload } from "./verify-upload.ts";
import { escapeXml, parseXml, textOf } from "./xml.ts";

/** Contract: ObjectStore.createMultipartUpload. */
export async function createMultipartUpload(
  client: S3Client,
  key: ObjectKey,
  options?: PutOptions,
): Promise<{ uploadId: string }> {
  const headers = { ...creationHeaders(client.config), ...attributeHeaders(options) };
  const query = { uploads: "" };
  const verb = "CREATE_MULTIPART";
  const call = { verb, method: "POST", key, query, headers, options } as const;
  return client.ask(call, ({ text }) => {
    const uploadId = textOf(parseXml(text, "InitiateMultipartUploadResult"), "UploadId");
    if (uploadId !== undefined && uploadId !== "") return { uploadId };
    throw new S3Failure({ code: "BadAnswer", message: "no UploadId" });
  });
}

/** Contract: ObjectStore.completeMultipartUpload. */
export async function completeMultipartUpload(
  client: S3Client,
  key: ObjectKey,
  uploadId: string,
  parts: readonly UploadedPart[],
  options: PutOptions = {},
  conditional = false,
): Promise<{ etag: string }> {
  const ordered = [...parts].sort((a, b) => a.partNumber - b.partNumber);
  const list = ordered.map(
    ({ partNumber, etag }) =>
      `<Part><PartNumber>${partNumber}</PartNumber><ETag>"${escapeXml(etag)}"</ETag></Part>`,
  );
  const text = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join("")}</CompleteMultipartUpload>`;
  const verb = "COMPLETE_MULTIPART";
  const headers = { "content-type": "application/xml", ...conditionHeaders(options, conditional) };
  const query = { uploadId };
  const doubted = ordered.flatMap((part) => part.doubted ?? []);
  const verified = async (etag: string): Promise<{ etag: string }> =>
    doubted.length === 0
      ? { etag }
      : { etag: await verifyUpload(client, key, etag, doubted, options) };
  try {
    const call = {
      verb,
      method: "POST",
      key,
      query,
      headers,
      text,
      options,
      patient: true,
    } as const;
    return await verified(await client.ask(call, etagIn("CompleteMultipartUploadResult")));
  } catch (error) {
    // an earlier Complete whose answer was lost may have made the object: its ETag tells, where it is made as AWS does
    const code = failureOf(error)?.code;
    if (code !== "NoSuchUpload" && failureOf(error)?.status !== 412) throw error;
    const expected = multipartEtag(ordered);
    const object = expected === undefined ? undefined : await client.head(key, options);
    if (object === undefined || object.etag !== expected) throw withErrno(error, key, options);
    return verified(object.etag);
  }
}

function withErrno(error: unknown, key: ObjectKey, options: PutOptions): unknown {
  const failure = failureOf(error);
  if (failure?.status !== 412) return error;
  return toFsError(failure, `Cannot COMPLETE_MULTIPART "${key}"`, options.ifNoneMatch === true);
}

/** The ETag that AWS and most others give an object of these parts; undefined unless each part's is an MD5. */
export function multipartEtag(parts: readonly UploadedPart[]): string | undefined {
  const hash = createHash("md5");
  for (const { etag } of parts) {
    if (!/^[0-9a-f]{32}$/.test(etag)) return undefined;
    hash.update(Buffer.from(etag, "hex"));
  }
  return `${hash.digest("hex")}-${parts.length}`;
}

/** Contract: ObjectStore.abortMultipartUpload. */
export async function abortMultipartUpload(
  client: S3Client,
  key: ObjectKey,
  uploadId: string,
  options?: CallOptions,
): Promise<void> {
  const query = { uploadId };
  try {
    await client.request({ verb: "ABORT_MULTIPART", method: "DELETE", key, query, options });
  } catch (error) {
    if (failureOf(error)?.code !== "NoSuchUpload") throw error;
  }
}

/** One part copied inside the store from a range of `from`. */
export async function copyPart(
  client: S3Client,
  from: ObjectKey,
  to: ObjectKey,
  part: { uploadId: string; partNumber: number; range: ByteRange; ifMatch?: string | undefined },
  options: CallOptions,
): Promise<UploadedPart> {
  const { uploadId, partNumber, range } = part;
  const query = { partNumber: String(partNumber), uploadId };
  const headers = {
    ...copySourceHeaders(client, from, part.ifMatch),
    ...customerKeyHeaders(client.config.encryption),
    "x-amz-copy-source-range": `bytes=${range.start}-${range.end - 1}`,
  };
  const verb = "COPY_PART";
  const call = {
    verb,
    method: "PUT",
    key: to,
    sealed: from,
    query,
    headers,
    options,
    patient: true,
  } as const;
  return { partNumber, etag: await client.ask(call, etagIn("CopyPartResult")) };
}

/** Takes the ETag out of an answer with this root element. */
export function etagIn(root: string): (reply: { readonly text: string }) => string {
  return ({ text }) => unquoteEtag(textOf(parseXml(text, root), "ETag"));
}

/** The headers that name a copy's source. */
export function copySourceHeaders(
  client: S3Client,
  from: ObjectKey,
  ifMatch: string | undefined,
): Record<string, string> {
  const conditioned = ifMatch !== undefined && ifMatch !== "";
  return {
    "x-amz-copy-source": `/${encodeKey(client.config.bucket)}/${encodeKey(from)}`,
    ...(conditioned ? { "x-amz-copy-source-if-match": `"${ifMatch}"` } : {}),
  };
}
