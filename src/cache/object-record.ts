// What the cache's database keeps of one object version: 15 bytes for a small object under a key of 16.
import { createHash } from "node:crypto";
import { BLOCK_SIZE, type ObjectVersion } from "./block-cache.ts";
import { BlockSet } from "./block-set.ts";

/** Name of a version on disk and in the database: 16 bytes as a latin1 string. */
export type ObjectId = string & { readonly brand: "ObjectId" };

/** Which blocks of an object are on disk, and their CRC-32. */
export interface ObjectRecord {
  /** Bytes. */
  readonly size: number;
  /** Ms since the epoch. */
  readonly lastUsed: number;
  readonly present: BlockSet;
  /** By block number; of present blocks only. */
  readonly checksums: Uint32Array;
}

const COMPLETE = 1;
// flags, 6 bytes of size, 6 bytes of time
const HEADER_BYTES = 13;

/** Distinct for every key, ETag and size. */
export function objectId(version: ObjectVersion): ObjectId {
  const digest = createHash("sha256")
    .update(`${version.key}\0${version.etag}\0${version.size}`)
    .digest();
  return digest.toString("latin1", 0, 16) as ObjectId;
}

export function objectIdOfKey(key: Buffer): ObjectId {
  return key.toString("latin1") as ObjectId;
}

export function keyOfObjectId(id: ObjectId): Buffer {
  return Buffer.from(id, "latin1");
}

export function blockCount(size: number): number {
  return Math.ceil(size / BLOCK_SIZE);
}

/** Bytes of one block; the last may be short. */
export function blockLength(size: number, block: number): number {
  return Math.min(BLOCK_SIZE, size - block * BLOCK_SIZE);
}

export function presentBytes(record: Pick<ObjectRecord, "size" | "present">): number {
  const { present, size } = record;
  const last = present.length - 1;
  const missing = present.has(last) ? BLOCK_SIZE - blockLength(size, last) : 0;
  return present.count * BLOCK_SIZE - missing;
}

export function encodeRecord(record: ObjectRecord): Buffer {
  const { size, lastUsed, present, checksums } = record;
  const bitmapBytes = present.isFull ? 0 : present.bits.length;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + bitmapBytes + 4 * present.count);
  bytes.writeUInt8(present.isFull ? COMPLETE : 0, 0);
  bytes.writeUIntLE(size, 1, 6);
  bytes.writeUIntLE(lastUsed, 7, 6);
  if (bitmapBytes > 0) bytes.set(present.bits, HEADER_BYTES);
  let at = HEADER_BYTES + bitmapBytes;
  for (let block = 0; block < present.length; block++) {
    if (present.has(block)) at = bytes.writeUInt32LE(checksums[block] ?? 0, at);
  }
  return bytes;
}

/** Throws when the bytes make no sense. */
export function decodeRecord(bytes: Buffer): ObjectRecord {
  const { size, lastUsed, isComplete } = decodeHeader(bytes);
  const count = blockCount(size);
  const bitmapBytes = isComplete ? 0 : Math.ceil(count / 8);
  const bitmap = bytes.subarray(HEADER_BYTES, HEADER_BYTES + bitmapBytes);
  const present = new BlockSet(count, isComplete ? undefined : bitmap);
  if (isComplete) present.addAll();
  const checksums = new Uint32Array(count);
  let at = HEADER_BYTES + bitmapBytes;
  for (let block = 0; block < count; block++) {
    if (!present.has(block)) continue;
    checksums[block] = bytes.readUInt32LE(at);
    at += 4;
  }
  return { size, lastUsed, present, checksums };
}

/** What the eviction order needs, without building the rest. */
export function decodeSummary(bytes: Buffer): { lastUsed: number; bytes: number } {
  const { size, lastUsed, isComplete } = decodeHeader(bytes);
  return { lastUsed, bytes: isComplete ? size : presentBytes(decodeRecord(bytes)) };
}

function decodeHeader(bytes: Buffer): { size: number; lastUsed: number; isComplete: boolean } {
  const isComplete = bytes.readUInt8(0) === COMPLETE;
  return { size: bytes.readUIntLE(1, 6), lastUsed: bytes.readUIntLE(7, 6), isComplete };
}
