// Which bytes each key will have once the queue has run, and where they are now.
import type { QueueRecord } from "../../state/queue-record.ts";

/** A staged file, or a version that lies in the bucket under some key until the copies have run. */
export type QueuedContent =
  | { readonly staged: string; readonly size: number }
  | { readonly key: string; readonly etag: string; readonly size: number };

/**
 * By key, what the queued records give bytes to, in the order of the last record of each; keys that will be gone are
 * left out. Copies may form chains (a directory renamed twice, two that were swapped): the bytes at their end are
 * where the first of them reads.
 */
export function queuedContent(
  records: Iterable<{ readonly record: QueueRecord }>,
): ReadonlyMap<string, QueuedContent> {
  const content = new Map<string, QueuedContent>();
  const set = (key: string, value: QueuedContent): void => {
    content.delete(key);
    content.set(key, value);
  };
  for (const { record } of records) {
    if (record.kind === "put") set(record.key, { staged: record.staged, size: record.size });
    else if (record.kind === "delete") content.delete(record.key);
    else if (record.kind === "describe") {
      // its bytes stay what they are
      const { key, etag, size } = record;
      if (!content.has(key)) set(key, { key, etag, size });
    } else {
      const { from, to, etag, size } = record;
      set(to, content.get(from) ?? { key: from, etag, size });
    }
  }
  return content;
}
