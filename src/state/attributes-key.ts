// Keys of local attributes: the path in UTF-8, or its head and a digest where LMDB's limit on keys is shorter.
import { createHash } from "node:crypto";
import { MAX_KEY_BYTES } from "../lmdb/environment.ts";

const DIGEST_BYTES = 32;
// a NUL, which no path has, keeps long keys apart from short ones
const HEAD_BYTES = MAX_KEY_BYTES - DIGEST_BYTES - 1;

/** The key of a path; distinct paths have distinct keys. */
export function attributesKey(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length <= HEAD_BYTES) return bytes;
  const digest = createHash("sha256").update(bytes).digest();
  return Buffer.concat([bytes.subarray(0, HEAD_BYTES), Buffer.of(0), digest]);
}

/** Keys of all paths below directory `path` lie in [start, end); others may too. */
export function attributesRange(path: string): { start: Buffer; end: Buffer } {
  const start = Buffer.from(path === "/" ? "/" : `${path}/`).subarray(0, HEAD_BYTES);
  // 0xff occurs in no UTF-8
  return { start, end: Buffer.concat([start, Buffer.of(0xff)]) };
}
