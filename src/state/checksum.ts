// Records in the journal carry a CRC-32 over key and value, so that a flipped bit is reported instead of believed.
import { crc32 } from "node:zlib";

const CRC_BYTES = 4;

/** The record with its checksum in front. */
export function sealRecord(key: Uint8Array, record: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(CRC_BYTES + record.length);
  sealed.writeUInt32LE(crc32(record, crc32(key)), 0);
  sealed.set(record, CRC_BYTES);
  return sealed;
}

/** The record inside, or undefined when it is not what was sealed under this key. */
export function openRecord(key: Uint8Array, sealed: Buffer): Buffer | undefined {
  if (sealed.length < CRC_BYTES) return undefined;
  const record = sealed.subarray(CRC_BYTES);
  return crc32(record, crc32(key)) === sealed.readUInt32LE(0) ? record : undefined;
}
