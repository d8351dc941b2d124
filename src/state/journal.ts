// journal.mdb: the queue, local attributes and redo records. What is committed here is what mutate() promises.
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { log } from "../log.ts";
import { attributesKey, attributesRange } from "./attributes-key.ts";
import { openRecord, sealRecord } from "./checksum.ts";
import type { Environment, Store } from "../lmdb/environment.ts";
import {
  decodeAttributes,
  decodeMeta,
  decodeQueueRecord,
  encodeAttributes,
  encodeJson,
  type JournalMeta,
  seqKey,
  seqOfKey,
} from "./journal-records.ts";
import type { LocalAttributes } from "./namespace-entry.ts";
import type { QueueRecord } from "./queue-record.ts";
import { RecordWriter } from "./record-writer.ts";
import { RemovedStore, type RemovedWrite } from "./removed-store.ts";

/** The durable part of one mutation. */
export interface JournalWrite {
  readonly redo?: { readonly seq: number; readonly record: Buffer };
  readonly attributes: readonly {
    readonly path: string;
    readonly attributes: LocalAttributes | undefined;
  }[];
  readonly enqueue: readonly { readonly seq: number; readonly record: QueueRecord }[];
  readonly dequeue: readonly number[];
  readonly removed?: RemovedWrite;
}

interface Waiting {
  readonly write: JournalWrite;
  resolve(): void;
  reject(error: FsError): void;
}

const META_KEY = Buffer.from("meta");
// bounds the time that a batch holds the main thread
const GROUP_WRITES = 1000;
const PRUNE_AT_ONCE = 2000;
const CHUNK_RECORDS = 256;

/**
 * Group commit: one transaction is under way at a time, and what arrives meanwhile is the next one, in call order. When
 * one fails, everything that was accepted by then fails with it, since it may build on what failed. After an error that
 * is not a full disk nothing is written any more: the kernel drops dirty pages that it could not write, so a later fsync
 * would lie (and lmdb-js waits for ever once LMDB has given the environment up).
 */
export class Journal {
  private readonly environment: Environment;
  private readonly metaStore: Store;
  private readonly queue: Store;
  private readonly attributeStore: Store;
  private readonly redo: Store;
  readonly removed: RemovedStore;
  private readonly writer = new RecordWriter();
  private waiting: Waiting[] = [];
  private running: Promise<void> | undefined;
  private failure: FsError | undefined;
  private meta: JournalMeta | undefined;
  private metaChanged = false;
  private pruned = 0;
  private applied = 0;

  constructor(environment: Environment) {
    this.environment = environment;
    this.metaStore = environment.store("meta");
    this.queue = environment.store("queue");
    this.attributeStore = environment.store("attributes");
    this.redo = environment.store("redo");
    this.removed = new RemovedStore(environment, this.metaStore);
    const [firstRedo] = this.redo.getKeys({ limit: 1 });
    if (firstRedo !== undefined) this.pruned = seqOfKey(firstRedo) - 1;
  }

  /** Undefined in a new journal; throws when it is damaged. */
  readMeta(): JournalMeta | undefined {
    const sealed = this.metaStore.getBinary(META_KEY);
    if (sealed === undefined) return undefined;
    const record = openRecord(META_KEY, sealed);
    if (record === undefined) throw new Error("wrong checksum of its header");
    return (this.meta = decodeMeta(record));
  }

  /** Takes effect with the next commit. */
  setMeta(meta: JournalMeta): void {
    this.meta = meta;
    this.metaChanged = true;
  }

  updateMeta(changes: Partial<JournalMeta>): void {
    if (this.meta === undefined) throw new Error("Journal has no header yet");
    this.setMeta({ ...this.meta, ...changes });
  }

  /** Resolves when `write` and all before it are durable; rejects with FsError, then none of it is. */
  async append(write: JournalWrite): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    await new Promise<void>((resolve, reject) => {
      this.waiting.push({ write, resolve, reject });
      this.start();
    });
  }

  /** Resolves when nothing is waiting or under way; never rejects. */
  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  /** Redo records up to `seq` are of no use any more; they leave with later commits, but for the newest. */
  setApplied(seq: number): void {
    this.applied = seq;
  }

  async close(): Promise<void> {
    await this.idle();
    await this.environment.close();
  }

  private start(): void {
    // after the other callers of this turn of the loop, who then share the commit
    this.running ??= new Promise((resolve) => {
      setImmediate(() => resolve(this.run()));
    });
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, GROUP_WRITES);
      try {
        await this.commitGroup(group);
        for (const waiting of group) waiting.resolve();
      } catch (error) {
        this.fail(toSystemFsError(error, "Cannot write the journal"), group);
      }
    }
    this.running = undefined;
  }

  private fail(error: FsError, group: readonly Waiting[]): void {
    if (error.code !== "ENOSPC") {
      this.failure = error;
      log.error("Journal is lost until the next mount: %s", error.message);
    }
    const rest = this.waiting;
    this.waiting = [];
    for (const waiting of [...group, ...rest]) waiting.reject(error);
  }

  private async commitGroup(group: readonly Waiting[]): Promise<void> {
    const last = group.at(-1)?.write.redo?.seq;
    const pruneTo = Math.min(this.applied, last ?? this.lastRedoSeq(), this.pruned + PRUNE_AT_ONCE);
    const keepFrom = last === undefined ? pruneTo : pruneTo + 1;
    const metaChanged = this.metaChanged;
    this.metaChanged = false;
    try {
      await this.environment.commit(() => {
        if (metaChanged && this.meta !== undefined)
          this.put(this.metaStore, META_KEY, encodeJson(this.meta));
        for (const { write } of group) this.putWrite(write);
        for (let seq = this.pruned + 1; seq < keepFrom; seq++) void this.redo.remove(seqKey(seq));
      });
    } catch (error) {
      this.metaChanged ||= metaChanged;
      throw error;
    }
    this.pruned = Math.max(this.pruned, keepFrom - 1);
  }

  // The promises of puts inside a batch are the batch's business (lmdb-js hands out a settled one).
  private putWrite(write: JournalWrite): void {
    for (const { seq, record } of write.enqueue)
      this.put(this.queue, seqKey(seq), encodeJson(record));
    for (const seq of write.dequeue) void this.queue.remove(seqKey(seq));
    for (const { path, attributes } of write.attributes) {
      const key = attributesKey(path);
      if (attributes === undefined) void this.attributeStore.remove(key);
      else this.put(this.attributeStore, key, encodeAttributes(this.writer, path, attributes));
    }
    if (write.removed !== undefined) this.removed.write(write.removed);
    if (write.redo !== undefined) this.put(this.redo, seqKey(write.redo.seq), write.redo.record);
  }

  private put(store: Store, key: Buffer, record: Buffer): void {
    void store.put(key, sealRecord(key, record));
  }

  /** Newest redo record, applied or not; 0 when there never was one. */
  lastRedoSeq(): number {
    const [key] = this.redo.getKeys({ reverse: true, limit: 1 });
    return key === undefined ? 0 : seqOfKey(key);
  }

  /** Oldest redo record that is still here; 0 when there never was one. */
  firstRedoSeq(): number {
    const [key] = this.redo.getKeys({ limit: 1 });
    return key === undefined ? 0 : seqOfKey(key);
  }

  lastQueueSeq(): number {
    const [key] = this.queue.getKeys({ reverse: true, limit: 1 });
    return key === undefined ? 0 : seqOfKey(key);
  }

  /** @yields the queue in order of seq; throws on a damaged record. */
  *queueRecords(): Generator<{ seq: number; record: QueueRecord }> {
    for (const [key, record] of records(this.queue)) {
      if (record === undefined)
        throw new Error(`queue record ${seqOfKey(key)} has a wrong checksum`);
      yield { seq: seqOfKey(key), record: decodeQueueRecord(record) };
    }
  }

  /** @yields redo records after `seq` in order; throws on a damaged one. */
  *redoRecords(seq: number): Generator<{ seq: number; record: Buffer }> {
    for (const [key, record] of records(this.redo, seqKey(seq + 1))) {
      if (record === undefined)
        throw new Error(`redo record ${seqOfKey(key)} has a wrong checksum`);
      yield { seq: seqOfKey(key), record };
    }
  }

  attributesOf(path: string): LocalAttributes | undefined {
    const key = attributesKey(path);
    const sealed = this.attributeStore.getBinary(key);
    if (sealed === undefined) return undefined;
    const record = openRecord(key, sealed);
    if (record !== undefined) return decodeAttributes(record).attributes;
    log.error('Local attributes of "%s" are damaged and ignored', path);
    return undefined;
  }

  /** @yields all local attributes at or below `path`; damaged ones are logged and left out. */
  *attributesBelow(path: string): Generator<{ path: string; attributes: LocalAttributes }> {
    const own = this.attributesOf(path);
    if (own !== undefined) yield { path, attributes: own };
    const { start, end } = attributesRange(path);
    const prefix = path === "/" ? "/" : `${path}/`;
    for (const [key, record] of records(this.attributeStore, start, end)) {
      if (record === undefined) {
        log.error('Local attributes of "%s" are damaged and ignored', key.toString());
        continue;
      }
      const found = decodeAttributes(record);
      if (found.path.startsWith(prefix) && found.path !== path) yield found;
    }
  }
}

// Reads in chunks, each whole, so that no LMDB snapshot stays open between two of them.
function* records(
  store: Store,
  from?: Buffer,
  end?: Buffer,
): Generator<[key: Buffer, record: Buffer | undefined]> {
  let start = from;
  let exclusiveStart = false;
  for (;;) {
    const chunk = [
      ...store.getRange({
        ...(start === undefined ? {} : { start, exclusiveStart }),
        ...(end === undefined ? {} : { end }),
        limit: CHUNK_RECORDS,
      }),
    ];
    for (const { key, value } of chunk) yield [key, openRecord(key, value)];
    const last = chunk.at(-1);
    if (last === undefined || chunk.length < CHUNK_RECORDS) return;
    start = last.key;
    exclusiveStart = true;
  }
}
