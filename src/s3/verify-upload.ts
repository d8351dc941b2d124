// What an upload left in the bucket, where the answer's ETag is not the MD5 of what was sent.
import { createHash } from "node:crypto";
import { log } from "../log.ts";
import { Errno, FsError, errnoOf } from "../posix/errno.ts";
import { getObject } from "./get-object.ts";
import { isMd5Etag } from "./listing.ts";
import { etagsAreMd5 } from "./object-headers.ts";
import type { ByteRange, CallOptions, ObjectKey } from "./object-store.ts";
import type { S3Reply } from "./s3-call.ts";
import type { S3Client } from "./s3-client.ts";

/** Bytes of an object and the MD5 (32 hex) that they must have. */
export interface Digested {
  readonly range: ByteRange;
  readonly md5: string;
}

/** Whether the ETag of an answer to a PUT or a copy is an MD5 of bytes, where it has that form. */
export function tellsMd5(client: S3Client, { headers }: Pick<S3Reply, "headers">): boolean {
  return !client.hasOpaqueEtags && etagsAreMd5(client.config.encryption, headers);
}

/** Whether an answer's ETag speaks for bytes with this MD5, or says nothing of them. */
export function agrees(client: S3Client, reply: S3Reply, etag: string, digest: Buffer): boolean {
  return !isMd5Etag(etag) || !tellsMd5(client, reply) || etag === digest.toString("hex");
}

/**
 * Reads back what is in the bucket. Resolves to the object's ETag when its bytes are those that were sent; ETags of a
 * store that calls them something else are not compared any more. Rejects with EIO when the bytes are others: whoever
 * has them must send them again.
 */
export async function verifyUpload(
  client: S3Client,
  key: ObjectKey,
  said: string,
  sent: readonly Digested[],
  { signal, deadlineMs }: CallOptions = {},
): Promise<string> {
  const options = {
    ...(signal === undefined ? {} : { signal }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
  let etag: string | undefined;
  for (const { range, md5 } of sent) {
    const found = await digestOf(client, key, range, options);
    if (found.md5 !== md5) {
      throw new FsError("EIO", `Cannot PUT "${key}": S3 stored other bytes than were sent`);
    }
    if (etag !== undefined && etag !== found.etag) throw changed(key);
    etag = found.etag;
  }
  // what the object is called from here on must not be a slip of one answer
  const now = await client.head(key, options);
  if (now === undefined || now.etag !== (etag ?? now.etag)) throw changed(key);
  const isWhole = sent.length === 1 && sent[0]?.md5 === now.etag;
  if (!isWhole && now.etag === said && !client.hasOpaqueEtags) {
    client.hasOpaqueEtags = true;
    log.warn(
      'The ETag of "%s" is not the MD5 of its bytes, which are right: ETags of this bucket are not compared any more',
      key,
    );
  }
  return now.etag;
}

async function digestOf(
  client: S3Client,
  key: ObjectKey,
  range: ByteRange,
  options: CallOptions,
): Promise<{ md5: string; etag: string }> {
  const hash = createHash("md5");
  try {
    // an empty range cannot be asked for
    const get = range.end > range.start ? { ...options, range } : options;
    const { info, body } = await getObject(client, key, get);
    for await (const chunk of body) hash.update(chunk);
    return { md5: hash.digest("hex"), etag: info.etag };
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) throw error;
    throw changed(key);
  }
}

function changed(key: ObjectKey): FsError {
  return new FsError("EIO", `Cannot PUT "${key}": it changed while it was read back`);
}
