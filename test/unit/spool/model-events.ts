// How the names of the queue's model follow its work.
import type { ObjectPlace, QueueEvents } from "../../../src/spool/spool.ts";
import type { Entry } from "./model-bucket.ts";

/** Events that note in `names` what changes, as seen over the names that are visible. */
export function modelEvents(
  visible: ReadonlyMap<string, Entry>,
  names: Map<string, Entry | undefined>,
): QueueEvents {
  const change = (name: string, next: (entry: Entry) => Entry | undefined): [] => {
    const entry = names.get(name) ?? visible.get(name);
    const changed = entry && next(entry);
    if (changed) names.set(name, changed);
    return [];
  };
  const moved = (name: string, was: ObjectPlace, now: ObjectPlace): [] =>
    change(name, (entry) =>
      "key" in entry && entry.key === was.key && entry.etag === was.etag
        ? { ...entry, ...now }
        : undefined,
    );
  const settle = (name: string, settled: boolean): [] =>
    change(name, (entry) => ({ ...entry, isPending: entry.isPending && !settled }));
  return {
    uploaded: ({ key, staged }, etag, settled) =>
      change(key, ({ says, isPending, ...entry }) =>
        "staged" in entry && entry.staged === staged
          ? { key, etag, says, isPending: isPending && !settled }
          : undefined,
      ),
    copied: (record, etag, settled) => {
      moved(record.to, { key: record.from, etag: record.etag }, { key: record.to, etag });
      return settle(record.to, settled && record.metadata !== undefined);
    },
    described: ({ key, etag: was }, etag, settled) => {
      if (etag !== undefined) moved(key, { key, etag: was }, { key, etag });
      return settle(key, settled);
    },
    settledAttributes: () => [],
    relocated: moved,
    discarded: () => ({}),
    deleted: () => undefined,
    copyFailed: () => {
      throw new Error("no one else touches the bucket");
    },
    beforeReplace: () => Promise.resolve(),
  };
}
