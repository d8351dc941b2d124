// An object whose name was removed, and that stays in the bucket for a while: what it takes to bring the name back.
import { readEntry, writeEntry } from "./entry-codec.ts";
import type { NamespaceEntry } from "./namespace-entry.ts";
import { RecordReader } from "./record-reader.ts";
import type { RecordWriter } from "./record-writer.ts";

/** Of one key at most one; times in ms since the epoch. */
export interface RemovedObject {
  readonly key: string;
  /** When the name was removed. */
  readonly removedMs: number;
  /** From when on the object may be deleted. */
  readonly notBefore: number;
  /** Version that was removed; absent while nobody knows it, then whatever is at the key is meant. */
  readonly etag?: string;
  /** What the name stood for; absent when only S3 can tell what is at the key. */
  readonly entry?: NamespaceEntry;
}

/** The removed objects as all callers see them, changes under way included. */
export interface RemovedObjects {
  readonly count: number;
  /** Sum over the sizes that are known. */
  readonly bytes: number;
  get(key: string): RemovedObject | undefined;
  /** Whether any key begins with `prefix`; costs a look at the first. */
  anyBelow(prefix: string): boolean;
  /** At most `limit` whose keys begin with `prefix` and come behind `after`, in bytewise order of their keys. */
  list(prefix: string, after: string, limit: number): readonly RemovedObject[];
  /** At most `limit` of those that may be deleted first, the earliest first. */
  earliest(limit: number): readonly RemovedObject[];
  /** The one that may be deleted last. */
  latest(): RemovedObject | undefined;
}

/** A change of one key; undefined: the object is not removed any more, or gone. */
export interface RemovedChange {
  readonly key: string;
  readonly record: RemovedObject | undefined;
}

/** Bytes of the object, 0 where nobody knows. */
export function sizeOfRemoved(record: RemovedObject | undefined): number {
  return record?.entry?.size ?? 0;
}

const HAS_ETAG = 1;
const HAS_ENTRY = 2;

/** The record without its key. */
export function encodeRemoved(writer: RecordWriter, record: RemovedObject): Buffer {
  const { removedMs, notBefore, etag, entry } = record;
  writer.varint((etag === undefined ? 0 : HAS_ETAG) | (entry === undefined ? 0 : HAS_ENTRY));
  writer.varint(wholeMs(removedMs));
  writer.varint(wholeMs(notBefore));
  if (etag !== undefined) writer.string(etag);
  if (entry !== undefined) writeEntry(writer, entry);
  return writer.take();
}

export function decodeRemoved(key: string, bytes: Buffer): RemovedObject {
  const reader = new RecordReader(bytes);
  const flags = reader.varint();
  const removedMs = reader.varint();
  const notBefore = reader.varint();
  const etag = flags & HAS_ETAG ? { etag: reader.string() } : {};
  const entry = flags & HAS_ENTRY ? { entry: readEntry(reader) } : {};
  return { key, removedMs, notBefore, ...etag, ...entry };
}

/** As the record is read back. */
export function wholeMs(time: number): number {
  return Math.max(0, Math.floor(time));
}
