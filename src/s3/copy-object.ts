// Copies inside the store: CopyObject, by parts above 5 GB, through us where the store cannot.
import { createHash } from "node:crypto";
import { log } from "../log.ts";
import { Errno, FsError, errnoOf } from "../posix/errno.ts";
import { getObject } from "./get-object.ts";
import { isMd5Etag } from "./listing.ts";
import {
  abortMultipartUpload,
  completeMultipartUpload,
  copyPart,
  copySourceHeaders,
  createMultipartUpload,
  etagIn,
} from "./multipart.ts";
import { creationHeaders, replacementHeaders } from "./object-headers.ts";
import type {
  ByteRange,
  CallOptions,
  CopyOptions,
  ObjectDescription,
  ObjectInfo,
  ObjectKey,
  UploadSource,
  UploadedPart,
} from "./object-store.ts";
import { putObject, uploadPart } from "./put-object.ts";
import type { S3Client } from "./s3-client.ts";
import { failureOf } from "./s3-failure.ts";
import { tellsMd5 } from "./verify-upload.ts";

// CopyObject's limit, taken decimal to be below every reading of "5 GB"
const maxSingleCopyBytes = 5e9;
const copyPartBytes = 1e9;
const relayPartBytes = 64 * 2 ** 20;
const parallelParts = 4;

/** Contract: ObjectStore.copyObject. */
export async function copyObject(
  client: S3Client,
  from: ObjectKey,
  to: ObjectKey,
  options: CopyOptions,
): Promise<{ etag: string }> {
  try {
    if (options.size <= maxSingleCopyBytes) return await copyWhole(client, from, to, options);
    return await copyByParts(client, from, to, options, copyPartBytes, "store");
  } catch (error) {
    // 411: a server that took the copy for a PUT without a body
    const unsupported = errnoOf(error) === Errno.EOPNOTSUPP || failureOf(error)?.status === 411;
    if (!unsupported) throw error;
    log.warn('S3 cannot copy "%s" by itself, copying it through this host', from);
    if (options.size > relayPartBytes) {
      return copyByParts(client, from, to, options, relayPartBytes, "relay");
    }
    const info = await sourceInfo(client, from, options);
    const put = { ...withoutMatch(options), ...attributesOf(options.replace ?? info) };
    return putObject(client, to, relaySource(client, info, options), put);
  }
}

async function copyWhole(
  client: S3Client,
  from: ObjectKey,
  to: ObjectKey,
  options: CopyOptions,
): Promise<{ etag: string }> {
  const headers = {
    ...creationHeaders(client.config, options.size),
    ...copySourceHeaders(client, from, options.ifMatch),
    ...(options.replace === undefined
      ? {}
      : {
          "x-amz-metadata-directive": "REPLACE",
          ...replacementHeaders(client.config, options.replace),
        }),
  };
  const call = {
    verb: "COPY",
    method: "PUT",
    key: to,
    sealed: from,
    headers,
    options,
    patient: true,
  } as const;
  client.customerKey?.refuseInClear(to);
  const answer = await client.ask(call, (reply) => ({
    etag: etagIn("CopyObjectResult")(reply),
    headers: reply.headers,
  }));
  const { etag } = answer;
  client.customerKey?.stored(to);
  const { ifMatch } = options;
  // stores that ignore the condition: equal bytes have equal MD5s
  const comparable = tellsMd5(client, answer) && isMd5Etag(etag);
  if (ifMatch !== undefined && comparable && isMd5Etag(ifMatch) && etag !== ifMatch) {
    throw new FsError(
      "ESTALE",
      `Cannot COPY "${from}": it changed, etag "${ifMatch}", now "${etag}"`,
    );
  }
  return { etag };
}

async function copyByParts(
  client: S3Client,
  from: ObjectKey,
  to: ObjectKey,
  options: CopyOptions,
  partBytes: number,
  way: "store" | "relay",
): Promise<{ etag: string }> {
  const info = await sourceInfo(client, from, options);
  const { uploadId } = await createMultipartUpload(client, to, {
    ...options,
    ...attributesOf(options.replace ?? info),
  });
  try {
    const source = relaySource(client, info, options);
    const count = Math.ceil(info.size / partBytes);
    const parts = await inParallel(count, async (i): Promise<UploadedPart> => {
      const range = { start: i * partBytes, end: Math.min((i + 1) * partBytes, info.size) };
      const partNumber = i + 1;
      if (way === "relay") {
        return uploadPart(client, to, uploadId, partNumber, { source, range }, options);
      }
      const part = { uploadId, partNumber, range, ifMatch: info.etag };
      return copyPart(client, from, to, part, options);
    });
    return await completeMultipartUpload(client, to, uploadId, parts, withoutMatch(options));
  } catch (error) {
    // the first error is the one to tell; what stays behind is swept by the bucket's lifecycle rule
    await abortMultipartUpload(client, to, uploadId, options).catch(() => undefined);
    throw error;
  }
}

/** The options without the source's ETag, which must not become a condition on the copy. */
function withoutMatch({ signal, deadlineMs, background }: CopyOptions): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(background === undefined ? {} : { background }),
  };
}

async function inParallel<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < count) {
      const i = next;
      next += 1;
      results[i] = await work(i);
    }
  };
  const runners = Array.from({ length: Math.min(parallelParts, count) }, runner);
  // no part may still run when the upload is aborted
  const outcomes = await Promise.allSettled(runners);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}

async function sourceInfo(
  client: S3Client,
  from: ObjectKey,
  options: CopyOptions,
): Promise<ObjectInfo> {
  const info = await client.head(from, options);
  if (info === undefined) throw new FsError("ENOENT", `Cannot COPY "${from}": no such key`);
  if (options.ifMatch !== undefined && info.etag !== options.ifMatch) {
    throw new FsError("ESTALE", `Cannot COPY "${from}": it changed, now "${info.etag}"`);
  }
  return info;
}

function attributesOf({
  contentType,
  metadata,
  httpHeaders,
}: ObjectDescription): Omit<ObjectDescription, "storageClass"> {
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(httpHeaders === undefined ? {} : { httpHeaders }),
  };
}

/** An object as a source: each pass is a GET of the same version. */
function relaySource(client: S3Client, info: ObjectInfo, options: CopyOptions): UploadSource {
  const { key, size, etag } = info;
  async function* read(range: ByteRange): AsyncGenerator<Uint8Array> {
    if (range.start === range.end) return;
    const { signal } = options;
    const get = { range, ifMatch: etag, ...(signal === undefined ? {} : { signal }) };
    yield* (await getObject(client, key, get)).body;
  }
  const md5 = async (range: ByteRange): Promise<Uint8Array> => {
    // chunks of 64 KiB as they come off the network: 0.1 ms each on the serving thread
    const hash = createHash("md5");
    for await (const chunk of read(range)) hash.update(chunk);
    return hash.digest();
  };
  return { size, read, md5 };
}
