// The bucket of the queue's model: contents by etag, nothing is ever written twice under one etag.
import type { DoneOutcome } from "../../../src/spool/completion.ts";
import type { DescribeRecord, QueueRecord } from "../../../src/state/queue-record.ts";

/** What a name stands for: bytes in a staged file, or in an object (perhaps at another key). */
export type Entry = (
  | { readonly staged: string; readonly over: boolean }
  | { readonly key: string; readonly etag: string }
) & {
  /** What its metadata is to say, and whether the bucket does not say so yet. */
  readonly says: string;
  readonly isPending: boolean;
};

export class ModelBucket {
  /** Etag by key. */
  readonly objects = new Map<string, string>();
  /** What the metadata of the object at a key says. */
  readonly metadata = new Map<string, string>();
  readonly #contents = new Map<string, string>();
  #counter = 0;

  /** A new staged id, or etag, with content of its own. */
  create(name: string): string {
    const id = `s${this.#counter++}`;
    this.#contents.set(id, `${name}#${id}`);
    return id;
  }

  content(etag: string | undefined): string | undefined {
    return etag === undefined ? undefined : this.#contents.get(etag);
  }

  contents(entries: Iterable<readonly [string, string]>): Record<string, string | undefined> {
    return Object.fromEntries([...entries].map(([key, etag]) => [key, this.content(etag)]));
  }

  /** What S3 does for a record; throws when a copy would read something else than what was renamed. */
  apply(record: QueueRecord): DoneOutcome {
    if (record.kind === "delete") {
      const found = this.objects.get(record.key);
      if (record.etag !== undefined && found !== undefined && found !== record.etag) {
        throw new Error(`delete of ${record.key} means ${record.etag} and finds ${found}`);
      }
      this.objects.delete(record.key);
      this.metadata.delete(record.key);
      return { kind: "deleted" };
    }
    if (record.kind === "put") {
      this.objects.set(record.key, record.staged);
      this.metadata.set(record.key, record.metadata?.["says"] ?? "");
      return { kind: "uploaded", etag: record.staged };
    }
    if (record.kind === "describe") return this.#describe(record);
    const source = this.objects.get(record.from);
    if (source !== record.etag) throw new Error(`copy of ${record.from} reads ${source}`);
    // each copy has an etag of its own, as those of multipart objects have
    const etag = `c${this.#counter++}`;
    this.#contents.set(etag, this.content(source) ?? "");
    this.objects.set(record.to, etag);
    this.metadata.set(record.to, record.metadata?.["says"] ?? this.metadata.get(record.from) ?? "");
    return { kind: "copied", etag };
  }

  #describe({ key, etag, metadata }: DescribeRecord): DoneOutcome {
    const before = this.objects.get(key);
    const says = metadata["says"] ?? "";
    // done already, by an attempt that was forgotten
    if (before !== undefined && this.metadata.get(key) === says) {
      return { kind: "described", etag: before };
    }
    if (before === undefined || before !== etag)
      throw new Error(`${key} is ${before}, not ${etag}`);
    const after = `d${this.#counter++}`;
    this.#contents.set(after, this.content(before) ?? "");
    this.objects.set(key, after);
    this.metadata.set(key, says);
    return { kind: "described", etag: after };
  }
}

/** Sets and removes names. */
export function applyNames(
  to: Map<string, Entry>,
  names: ReadonlyMap<string, Entry | undefined>,
): void {
  for (const [name, entry] of names) {
    if (entry === undefined) to.delete(name);
    else to.set(name, entry);
  }
}
