// cache.mdb: the records of all cached objects. Never fsynced; whatever it loses is fetched again.
import { open as openFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { log } from "../log.ts";
import { ReservedRoom } from "../posix/reserved-room.ts";
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
/** Of a meta page, from its start: all that is looked at, and where it names the last page in use. */
const META_BYTES = 160;
const LAST_PAGE_OFFSET = 144;
const LMDB_MAGIC = 0xbeefc0de;
const binary = { encoding: "binary", keyEncoding: "binary" } as const;
const FLUSH_MS = 200;
const BATCH_RECORDS = 2000;
const SCAN_RECORDS = 2000;

/** Records by object; changes are readable at once and written in batches. */
export class RecordStore {
  private readonly directory: string;
  private readonly room: ReservedRoom;
  private readonly root: RootDatabase<Buffer, Buffer>;
  private readonly records: Database<Buffer, Buffer>;
  private readonly dirty = new Map<ObjectId, Buffer | undefined>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.room = new ReservedRoom(join(directory, DATABASE_FILE));
    this.root = open<Buffer, Buffer>({
      path: join(directory, DATABASE_FILE),
      ...binary,
      noSubdir: true,
      maxDbs: 4,
      overlappingSync: false,
      noSync: true,
      eventTurnBatching: false,
    });
    this.records = this.root.openDB<Buffer, Buffer>({ name: `objects-${SCHEMA}`, ...binary });
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
    await new Promise<void>((resolve) => {
      // missing in lmdb's types
      const root = this.root as unknown as { sync(callback: () => void): void };
      root.sync(() => resolve());
    });
    await this.room.close();
    await this.root.close();
    await rm(join(this.directory, MARKER_FILE), { force: true }).catch(() => undefined);
  }

  private async writeDirty(): Promise<void> {
    try {
      while (this.dirty.size > 0) {
        await this.room.ensure();
        const batch = [...this.dirty].slice(0, BATCH_RECORDS);
        await this.root.batch(() => {
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
      await settleCommitError(error);
      this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS * 50).unref();
    }
  }
}

/** The error has a promise of its own that would otherwise count as an unhandled rejection. */
async function settleCommitError(error: unknown): Promise<void> {
  const cause =
    error instanceof Error && "commitError" in error
      ? await Promise.resolve(error.commitError).catch((reason: unknown) => reason)
      : error;
  log.debug("Cache records could not be written: %s", cause);
}

async function readMarker(directory: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, MARKER_FILE), "utf8");
  } catch {
    return undefined;
  }
}

/**
 * lmdb-js crashes on a file without LMDB's header, and on a page that lies behind the file's end (MDB_meta in mdb.c), so it
 * must not see such a file. LMDB may leave a page at the end unwritten; that costs no more than the cache.
 */
async function isAbsentOrSound(path: string): Promise<boolean> {
  const file = await openFile(path).catch(() => undefined);
  if (file === undefined) return true;
  try {
    const { size } = await file.stat();
    const header = Buffer.alloc(META_BYTES);
    await file.read(header, 0, header.length, 0);
    const pageBytes = header.readUInt32LE(48);
    if (header.readUInt32LE(24) !== LMDB_MAGIC || pageBytes < 512) return false;
    let pages = 2n;
    for (const meta of [0, pageBytes]) {
      await file.read(header, 0, header.length, meta);
      const last = header.readBigUInt64LE(LAST_PAGE_OFFSET);
      if (last >= pages) pages = last + 1n;
    }
    return pages * BigInt(pageBytes) <= BigInt(size);
  } finally {
    await file.close();
  }
}

async function wipe(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}-lock`, { force: true });
}
