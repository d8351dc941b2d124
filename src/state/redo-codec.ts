// Name changes as one redo record of the journal: what the index still has to learn after a crash.
import { readEntry, writeEntry } from "./entry-codec.ts";
import type { NameChange } from "./namespace-entry.ts";
import { RecordReader } from "./record-reader.ts";
import type { RecordWriter } from "./record-writer.ts";

/** Encodes changes in order. */
export function encodeNameChanges(writer: RecordWriter, changes: readonly NameChange[]): Buffer {
  writer.varint(changes.length);
  for (const { parent, name, entry } of changes) {
    writer.varint(parent);
    writer.string(name);
    writer.varint(entry === undefined ? 0 : 1);
    if (entry !== undefined) writeEntry(writer, entry);
  }
  return writer.take();
}

export function decodeNameChanges(record: Buffer): NameChange[] {
  const reader = new RecordReader(record);
  const count = reader.varint();
  const changes: NameChange[] = [];
  for (let i = 0; i < count; i++) {
    const parent = reader.varint();
    const name = reader.string();
    const entry = reader.varint() === 1 ? readEntry(reader) : undefined;
    changes.push({ parent, name, entry });
  }
  return changes;
}
