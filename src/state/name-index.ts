// index.mdb: every known name. Rebuildable, so it is never fsynced but at close.
import { LRUCache } from "lru-cache";
import { readEntry, writeEntry } from "./entry-codec.ts";
import { Environment, type Store } from "../lmdb/environment.ts";
import { indexKey, nameOfIndexKey } from "./index-key.ts";
import type { NameCoverage } from "./mount-state.ts";
import type { NameChange, NamespaceEntry } from "./namespace-entry.ts";
import { RecordReader } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";

/** Schema of index.mdb; any other number means rebuilding. */
export const INDEX_SCHEMA = 1;

// about 0.5 KB each once decoded
const DECODED_ENTRIES = 50_000;

/** What the index says of itself. */
export interface IndexMeta {
  readonly schema: number;
  readonly journalId: string;
  /** Redo records up to here are in. */
  readonly applied: number;
  /** Above every inode number in here. */
  readonly nextIno: number;
  /** Absent where no crawl has begun. */
  readonly coverage?: NameCoverage;
}

const META_KEY = Buffer.from("meta");

/** The names in index.mdb, with the latest decoded ones in memory. */
export class NameIndex {
  private readonly environment: Environment;
  private readonly names: Store;
  private readonly metaStore: Store;
  private readonly writer = new RecordWriter();
  private readonly decoded = new LRUCache<string, NamespaceEntry>({ max: DECODED_ENTRIES });

  /** Opens or creates; throws lmdb's error when the file is damaged. */
  constructor(path: string) {
    this.environment = new Environment(path, { durable: false });
    this.names = this.environment.store("names");
    this.metaStore = this.environment.store("meta");
  }

  readMeta(): IndexMeta | undefined {
    const bytes = this.metaStore.getBinary(META_KEY);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString()) as IndexMeta);
  }

  get(parent: number, name: string): NamespaceEntry | undefined {
    const cacheKey = `${parent}/${name}`;
    const cached = this.decoded.get(cacheKey);
    if (cached !== undefined) return cached;
    const bytes = this.names.getBinaryFast(indexKey(parent, name));
    if (bytes === undefined) return undefined;
    const entry = readEntry(new RecordReader(bytes));
    // V8 keeps the text that a name was cut from, such as a page of a listing (350 KB), for as long as the name
    this.decoded.set(Buffer.from(cacheKey).toString(), entry);
    return entry;
  }

  /** Up to `limit` children of `parent` after the name `after`, in bytewise order. */
  chunk(parent: number, after: string | undefined, limit: number): [string, NamespaceEntry][] {
    const range = this.names.getRange({
      start: indexKey(parent, after ?? ""),
      exclusiveStart: after !== undefined,
      end: indexKey(parent + 1, ""),
      limit,
    });
    const chunk: [string, NamespaceEntry][] = [];
    for (const { key, value } of range) {
      chunk.push([nameOfIndexKey(key), readEntry(new RecordReader(value))]);
    }
    return chunk;
  }

  /** Writes changes in order together with `meta`; rejects with FsError, then none is written. */
  async commit(changes: readonly NameChange[], meta: IndexMeta): Promise<void> {
    await this.environment.commit(() => {
      for (const { parent, name, entry } of changes) {
        const key = indexKey(parent, name);
        if (entry === undefined) {
          void this.names.remove(key);
        } else {
          writeEntry(this.writer, entry);
          void this.names.put(key, this.writer.take());
        }
      }
      void this.metaStore.put(META_KEY, Buffer.from(JSON.stringify(meta)));
    });
    for (const { parent, name } of changes) this.decoded.delete(`${parent}/${name}`);
  }

  async sync(): Promise<void> {
    await this.environment.sync();
  }

  async close(): Promise<void> {
    await this.environment.close();
  }
}
