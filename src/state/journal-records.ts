// Keys and values of the journal's databases.
import { readAttributes, writeAttributes } from "./entry-codec.ts";
import type { LocalAttributes } from "./namespace-entry.ts";
import type { QueueRecord } from "./queue-record.ts";
import { RecordReader } from "./record-reader.ts";
import type { RecordWriter } from "./record-writer.ts";

/** Schema of the journal; a higher number in a file means that a newer pailfs wrote it. */
export const JOURNAL_SCHEMA = 1;

/** What the journal says of itself and of the index that belongs to it. */
export interface JournalMeta {
  readonly schema: number;
  /** Endpoint, bucket and prefix. */
  readonly identity: string;
  /** Random; ties index.mdb to this journal. */
  readonly journalId: string;
  /** No inode number from here on was ever handed out for something durable. */
  readonly inoLimit: number;
  /** The same for the queue's seq. */
  readonly seqLimit: number;
  /** Whether index.mdb was closed in order, else the boot in which it was written. */
  readonly indexClosed: boolean;
  readonly bootId: string;
}

/** Key of a queue or redo record: 8 bytes, big endian, so that LMDB keeps their order. */
export function seqKey(seq: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeUIntBE(seq, 2, 6);
  return key;
}

export function seqOfKey(key: Buffer): number {
  return key.readUIntBE(2, 6);
}

/** JSON: a few fields that will grow, and strings that may hold anything. */
export function encodeJson(value: JournalMeta | QueueRecord): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function decodeMeta(bytes: Buffer): JournalMeta {
  return JSON.parse(bytes.toString()) as JournalMeta;
}

export function decodeQueueRecord(bytes: Buffer): QueueRecord {
  return JSON.parse(bytes.toString()) as QueueRecord;
}

/** The path stands in the value because a long one is only hashed in the key. */
export function encodeAttributes(
  writer: RecordWriter,
  path: string,
  attributes: LocalAttributes,
): Buffer {
  writer.string(path);
  writeAttributes(writer, attributes);
  return writer.take();
}

export function decodeAttributes(bytes: Buffer): { path: string; attributes: LocalAttributes } {
  const reader = new RecordReader(bytes);
  return { path: reader.string(), attributes: readAttributes(reader) };
}
