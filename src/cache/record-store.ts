// cache.mdb: the records of all cached objects. Never fsynced; whatever it loses is fetched again.
import { access, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Environment, type Store } from "../lmdb/environment.ts";
import { findTruncation } from "../lmdb/page-check.ts";
import { log } from "../log.ts";
import { syncDirectory } from "../posix/sync-directory.ts";
import {
  decodeRecord,
  decodeSummary,
  encodeRecord,
  keyOfObjectId,
  type ObjectId,
  objectIdOfKey,
  type ObjectRecord,
} from "./object-record.ts";

const DATABASE_FILE = "cache.mdb";
// Says who has the database open: a power cut may have torn it, and so may a death while it was being read.
const MARKER_FILE = "cache.open";
const SCHEMA = "1";
const FLUSH_MS = 200;
const BATCH_RECORDS = 2000;
const SCAN_RECORDS = 2000;

/** Records by object; changes are readable at once and written in batches. */
export class RecordStore {
  private readonly directory: string;
  private readonly environment: Environment;
  private readonly records: Store;
  private readonly dirty = new Map<ObjectId, Buffer | undefined>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.environment = new Environment(join(directory, DATABASE_FILE), { durable: false });
    this.records = this.environment.store(`objects-${SCHEMA}`);
  }

  /** Opens or creates; a database that may be damaged is thrown away. Rejects with the system's error. */
  static async open(directory: string, bootId: string): Promise<RecordStore> {
    const left = await readMarker(directory);
    const path = join(directory, DATABASE_FILE);
    const isDoubtful = left !== undefined && left !== `${bootId} running`;
    if (isDoubtful || !(await isAbsentOrSound(path))) {
      const reason = isDoubtful ? "it was not closed" : "its database is damaged";
      log.warn('Cache in "%s" starts empty: %s', directory, reason);
      await wipe(path);
    }
    // durable before the database changes: without it a torn one would be trusted, and reading it ends the process
    await writeFile(join(directory, MARKER_FILE), `${bootId} loading`, { flush: true });
    await syncDirectory(directory);
    return new RecordStore(directory);
  }

  /** A death from now on says nothing against the database. */
  async markLoaded(bootId: string): Promise<void> {
    await writeFile(join(this.directory, MARKER_FILE), `${bootId} running`);
  }

  get(id: ObjectId): ObjectRecord | undefined {
    const bytes = this.dirty.has(id)
      ? this.dirty.get(id)
      : this.records.getBinary(keyOfObjectId(id));
    if (bytes === undefined) return undefined;
    try {
      return decodeRecord(bytes);
    } catch {
      return undefined;
    }
  }

  /** Undefined removes. */
  set(id: ObjectId, record: ObjectRecord | undefined): void {
    this.dirty.set(id, record === undefined ? undefined : encodeRecord(record));
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** @yields what is in the database, in chunks; the caller may pause between two of them. */
  *summaries(): Generator<{ id: ObjectId; lastUsed: number; bytes: number }[]> {
    let start: Buffer | undefined;
    for (;;) {
      const from = start === undefined ? {} : { start, exclusiveStart: true };
      const chunk = [...this.records.getRange({ ...from, limit: SCAN_RECORDS })];
      yield chunk.flatMap(({ key, value }) => {
        try {
          return [{ id: objectIdOfKey(key), ...decodeSummary(value) }];
        } catch {
          return [];
        }
      });
      start = chunk.at(-1)?.key;
      if (start === undefined || chunk.length < SCAN_RECORDS) return;
    }
  }

  /** Writes what is pending; never rejects, what failed stays pending. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    while (this.running !== undefined) await this.running;
    // cleared by a callback, since with nothing to write writeDirty() is done before the assignment is
    this.running = this.writeDirty().finally(() => {
      this.running = undefined;
    });
    await this.running;
  }

  /** Writes what is pending and fsyncs. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.timer);
    const isSynced = await this.environment.sync().then(
      () => true,
      () => false,
    );
    await this.environment.close();
    // with the marker left, it is doubted after a power cut
    if (isSynced)
      await rm(join(this.directory, MARKER_FILE), { force: true }).catch(() => undefined);
  }

  private async writeDirty(): Promise<void> {
    try {
      while (this.dirty.size > 0) {
        const batch = [...this.dirty].slice(0, BATCH_RECORDS);
        await this.environment.commit(() => {
          for (const [id, bytes] of batch) {
            // promises of puts inside a batch are the batch's business
            if (bytes === undefined) void this.records.remove(keyOfObjectId(id));
            else void this.records.put(keyOfObjectId(id), bytes);
          }
        });
        for (const [id, bytes] of batch) {
          if (this.dirty.get(id) === bytes) this.dirty.delete(id);
        }
      }
    } catch (error) {
      log.debug("Cache records could not be written: %s", error);
      this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS * 50).unref();
    }
  }
}

async function readMarker(directory: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, MARKER_FILE), "utf8");
  } catch {
    return undefined;
  }
}

/** What LMDB would crash on must not be opened; a page at the end that it left unwritten costs no more than the cache. */
async function isAbsentOrSound(path: string): Promise<boolean> {
  try {
    await access(path);
  } catch {
    return true;
  }
  return (await findTruncation(path)) === undefined;
}

async function wipe(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}-lock`, { force: true });
}
