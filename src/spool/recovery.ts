// What a start finds in the spool, compared with the journal.
import { truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { log } from "../log.ts";
import { syncDirectory } from "../posix/sync-directory.ts";
import type { PutRecord, QueueRecord } from "../state/queue-record.ts";
import type { DiskSpool } from "./disk-spool.ts";
import type { RecoveredRecords } from "./upload-queue-options.ts";

export interface RecoveryOptions {
  readonly spool: DiskSpool;
  /** MountState.pending(). */
  readonly records: Iterable<{ readonly seq: number; readonly record: QueueRecord }>;
  /** Whether the journal is whole: then a file without a record was never acknowledged. */
  readonly journalIsWhole: boolean;
  /** Looks for a staged file that is cache content already; resolves to the ETag under which it was uploaded. */
  readonly findAdopted?: (record: PutRecord) => Promise<string | undefined>;
}

export interface RecoveryReport extends RecoveredRecords {
  /** Staged files without a record, deleted. */
  readonly removed: number;
  /** Paths of files that were moved to quarantine. */
  readonly quarantined: readonly string[];
}

/**
 * Deletes staged files that no one was promised, moves to quarantine what must not be published, and tells which records
 * cannot be done. To be called before anything is created in the spool. Rejects with FsError when the disk fails.
 */
export async function recoverSpool(options: RecoveryOptions): Promise<RecoveryReport> {
  const { spool, journalIsWhole } = options;
  const wanted = putsByFile(options.records);
  const failed = new Map<number, string>();
  const uploaded = new Map<number, string>();
  const quarantined: string[] = [];
  let removed = 0;
  for (const { id, size } of await spool.leftovers()) {
    const puts = wanted.get(id);
    if (puts !== undefined) {
      wanted.delete(id);
      const path = await checkSize(spool, id, size, puts, failed);
      if (path !== undefined) quarantined.push(path);
    } else if (journalIsWhole || size === 0) {
      // an empty file holds nothing that could be missed
      spool.discard(id);
      removed += 1;
    } else {
      const reason = "no record of it in a damaged journal";
      quarantined.push(await spool.quarantine(id, { reason }));
    }
  }
  const missing: Put[] = [];
  for (const put of [...wanted.values()].flat()) {
    const etag = await options.findAdopted?.(put.record);
    if (etag !== undefined) uploaded.set(put.seq, etag);
    else missing.push(put);
  }
  await remakeEmpty(spool, missing, failed);
  for (const path of quarantined) log.error("Moved staged data to %j", path);
  if (removed > 0) log.info("Removed %d staged files that were never closed", removed);
  return { failed, uploaded, removed, quarantined };
}

interface Put {
  readonly seq: number;
  readonly record: PutRecord;
}

function putsByFile(records: RecoveryOptions["records"]): Map<string, Put[]> {
  const byFile = new Map<string, Put[]>();
  for (const { seq, record } of records) {
    if (record.kind !== "put") continue;
    const puts = byFile.get(record.staged);
    if (puts === undefined) byFile.set(record.staged, [{ seq, record }]);
    else puts.push({ seq, record });
  }
  return byFile;
}

/** Moves a file that is shorter than promised to quarantine; resolves to where it is then. */
async function checkSize(
  spool: DiskSpool,
  id: string,
  size: number,
  puts: readonly Put[],
  failed: Map<number, string>,
): Promise<string | undefined> {
  const short = puts.find(({ record }) => record.size > size);
  if (short === undefined) {
    // bytes behind the last close or fsync were promised to no one, and would look like part of the file
    const promised = Math.max(...puts.map(({ record }) => record.size));
    if (size > promised) await truncate(spool.path(id), promised);
    return undefined;
  }
  const { key, size: promised } = short.record;
  const reason = `staged file has ${size} of ${promised} bytes`;
  for (const put of puts) fail(failed, put, reason);
  return spool.quarantine(id, { reason, key, size: promised });
}

/**
 * Directory markers and other empty objects are committed without a sync of the spool's directory, so a power cut may
 * take their files: they are made again, as nothing was promised to be in them. Any other missing file fails its record.
 */
async function remakeEmpty(
  spool: DiskSpool,
  missing: readonly Put[],
  failed: Map<number, string>,
): Promise<void> {
  const full = missing.filter(({ record }) => record.size > 0);
  for (const put of full) fail(failed, put, "staged file is gone");
  const ids = new Set(missing.map(({ record }) => record.staged));
  for (const { record } of full) ids.delete(record.staged);
  const [first] = ids;
  if (first === undefined) return;
  for (const id of ids) await writeFile(spool.path(id), "", { flag: "wx", mode: 0o600 });
  // who opens one of them later takes its entry for durable
  await syncDirectory(dirname(spool.path(first)));
  await spool.leftovers();
}

function fail(failed: Map<number, string>, { seq, record }: Put, reason: string): void {
  failed.set(seq, reason);
  log.error("Cannot upload %j: %s", record.key, reason);
}
