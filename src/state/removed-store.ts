// Removed objects in the journal: by key, and by the time from which on they may be deleted.
import { log } from "../log.ts";
import { openRecord, sealRecord } from "./checksum.ts";
import type { Environment, Store } from "../lmdb/environment.ts";
import { RecordWriter } from "./record-writer.ts";
import {
  decodeRemoved,
  encodeRemoved,
  type RemovedChange,
  type RemovedObject,
} from "./removed-object.ts";

/** How many there are, and the bytes of those whose size is known. */
export interface RemovedTotals {
  readonly count: number;
  readonly bytes: number;
}

/** What one mutation does to the removed objects, and their totals then. */
export interface RemovedWrite {
  /** `was`: what the change before left, durable or not. */
  readonly changes: readonly (RemovedChange & { readonly was: RemovedObject | undefined })[];
  readonly totals: RemovedTotals;
}

const TOTALS_KEY = Buffer.from("removed");
const TIME_BYTES = 6;
const SOMETHING = Buffer.of(1);
// 0xff occurs in no UTF-8
const BEHIND_UTF8 = Buffer.of(0xff);

export class RemovedStore {
  readonly #records: Store;
  readonly #due: Store;
  readonly #meta: Store;
  readonly #writer = new RecordWriter();

  constructor(environment: Environment, meta: Store) {
    this.#records = environment.store("removed");
    this.#due = environment.store("due");
    this.#meta = meta;
  }

  totals(): RemovedTotals {
    const sealed = this.#meta.getBinary(TOTALS_KEY);
    const record = sealed && openRecord(TOTALS_KEY, sealed);
    return record ? (JSON.parse(record.toString()) as RemovedTotals) : { count: 0, bytes: 0 };
  }

  get(key: string): RemovedObject | undefined {
    const bytes = Buffer.from(key);
    const sealed = this.#records.getBinary(bytes);
    return sealed && this.#open(bytes, sealed);
  }

  /** At most `limit` behind `after` whose keys begin with `prefix`, in bytewise order; damaged ones are logged and left out. */
  list(prefix: string, after: string, limit: number): RemovedObject[] {
    const start = Buffer.from(after === "" ? prefix : after);
    const end = Buffer.concat([Buffer.from(prefix), BEHIND_UTF8]);
    const found: RemovedObject[] = [];
    const range = { start, end, exclusiveStart: after !== "", limit };
    for (const { key, value } of this.#records.getRange(range)) {
      const record = this.#open(key, value);
      if (record) found.push(record);
    }
    return found;
  }

  /** Keys of which the first may be deleted first, or with `last` those that may be deleted last. */
  dueKeys(limit: number, last = false): string[] {
    return [...this.#due.getKeys({ limit, reverse: last })].map((key) =>
      key.toString("utf8", TIME_BYTES),
    );
  }

  /** Inside a transaction, which reads nothing of what it has written so far. */
  write({ changes, totals }: RemovedWrite): void {
    for (const { key, record, was } of changes) {
      const bytes = Buffer.from(key);
      if (was) void this.#due.remove(dueKey(was.notBefore, bytes));
      if (record === undefined) {
        void this.#records.remove(bytes);
        continue;
      }
      void this.#records.put(bytes, sealRecord(bytes, encodeRemoved(this.#writer, record)));
      void this.#due.put(dueKey(record.notBefore, bytes), SOMETHING);
    }
    void this.#meta.put(TOTALS_KEY, sealRecord(TOTALS_KEY, Buffer.from(JSON.stringify(totals))));
  }

  #open(key: Buffer, sealed: Buffer): RemovedObject | undefined {
    const name = key.toString();
    const record = openRecord(key, sealed);
    if (record !== undefined) return decodeRemoved(name, record);
    log.error("The record of the removed object %j is damaged and ignored: it stays", name);
    return undefined;
  }
}

function dueKey(notBefore: number, key: Buffer): Buffer {
  const due = Buffer.alloc(TIME_BYTES + key.length);
  due.writeUIntBE(notBefore, 0, TIME_BYTES);
  key.copy(due, TIME_BYTES);
  return due;
}
