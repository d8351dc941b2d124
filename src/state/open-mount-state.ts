// Start-up of the state: refuses what it cannot trust in the journal, throws away what it cannot trust in the index.
import { randomUUID } from "node:crypto";
import { access, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { syncDirectoryChain } from "../posix/sync-directory.ts";
import { log } from "../log.ts";
import { Environment } from "../lmdb/environment.ts";
import { Journal } from "./journal.ts";
import { JOURNAL_SCHEMA, type JournalMeta } from "./journal-records.ts";
import { LmdbMountState } from "./lmdb-mount-state.ts";
import { type MountState, ROOT_INO } from "./mount-state.ts";
import { INDEX_SCHEMA, type IndexMeta, NameIndex } from "./name-index.ts";
import { findHeaderDamage, findPageDamage, isBlank } from "../lmdb/page-check.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { decodeNameChanges } from "./redo-codec.ts";

/** Where the state lives and whose it is. */
export interface StateOptions {
  readonly directory: string;
  /** Endpoint, bucket and prefix in one string: a directory serves one mount for ever. */
  readonly identity: string;
  /** Of the running kernel; tests give another to simulate a power cut. */
  readonly bootId?: string;
  /**
   * Called when there is no journal yet, before one is made, so that a crash meanwhile calls it again: staged files
   * that are there were acknowledged by a journal that is gone. A rejection is openMountState()'s.
   */
  readonly onNew?: () => Promise<void>;
}

const JOURNAL_FILE = "journal.mdb";
const INDEX_FILE = "index.mdb";

/**
 * Opens or creates the state in `directory`; the caller holds its lock. Rejects with one line: EINVAL for a newer schema
 * or another identity, EIO for a damaged journal (nothing is touched then), else the system's error.
 */
export async function openMountState(options: StateOptions): Promise<MountState> {
  const { directory, identity } = options;
  const bootId = options.bootId ?? (await readBootId());
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const journalPath = join(directory, JOURNAL_FILE);
  const journal = await openJournal(journalPath);
  try {
    await keepNames(directory);
    const found = readJournal(journal, journalPath);
    if (found === undefined) await options.onNew?.();
    else checkMeta(found, identity, directory);
    const meta: JournalMeta = found ?? newMeta(identity);
    const indexPath = join(directory, INDEX_FILE);
    const loss = await whyLost(indexPath, found, bootId);
    if (loss !== undefined) await discardIndex(indexPath, found === undefined ? undefined : loss);
    // before anything is written to the index: from now on it is only good within this boot
    journal.setMeta({ ...meta, indexClosed: false, bootId });
    await journal.append({ attributes: [], enqueue: [], dequeue: [] });
    const opened = loss === undefined ? await openIndex(indexPath, journal, meta) : undefined;
    const { index, indexMeta } = opened ?? (await createIndex(indexPath, journal, meta));
    return new LmdbMountState({
      journal,
      index,
      indexMeta,
      nextIno: Math.max(meta.inoLimit, indexMeta.nextIno),
      nextSeq: Math.max(meta.seqLimit, journal.lastQueueSeq() + 1),
      rebuilt: opened === undefined && found !== undefined,
    });
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** fsyncs the names of what lies in the directory, and its own: what is synced inside is of no use when they are lost. */
async function keepNames(stateDirectory: string): Promise<void> {
  try {
    await syncDirectoryChain(stateDirectory, 3);
  } catch (error) {
    throw toSystemFsError(error, `Cannot sync the state directory "${stateDirectory}"`);
  }
}

async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

function newMeta(identity: string): JournalMeta {
  return {
    schema: JOURNAL_SCHEMA,
    identity,
    journalId: randomUUID(),
    inoLimit: ROOT_INO + 1,
    seqLimit: 1,
    indexClosed: false,
    bootId: "",
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

async function openJournal(path: string): Promise<Journal> {
  if (await exists(path)) {
    const damage = await findPageDamage(path);
    if (damage !== undefined) {
      if (!(await wasNeverBegun(path))) throw damagedJournal(path, damage);
      await rm(path);
      await rm(`${path}-lock`, { force: true });
    }
  }
  try {
    return new Journal(new Environment(path, { durable: true }));
  } catch (error) {
    throw damagedJournal(path, error);
  }
}

/** Whether a first start ended before anything was written to the journal; the index is made once something was. */
async function wasNeverBegun(path: string): Promise<boolean> {
  return !(await exists(join(dirname(path), INDEX_FILE))) && (await isBlank(path));
}

/** Its header, once every record that must be understood was seen to be whole. */
function readJournal(journal: Journal, path: string): JournalMeta | undefined {
  try {
    const meta = journal.readMeta();
    for (const _ of journal.queueRecords());
    for (const _ of journal.redoRecords(0));
    return meta;
  } catch (error) {
    throw damagedJournal(path, error);
  }
}

function damagedJournal(path: string, cause: unknown): FsError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FsError(
    "EIO",
    `Cannot use the journal "${path}": ${reason}; restore it from a backup, or move it and its -lock file away and ` +
      'recover the staged files with "pailfs queue"',
    { cause },
  );
}

function checkMeta(meta: JournalMeta, identity: string, directory: string): void {
  if (meta.schema > JOURNAL_SCHEMA) {
    throw new FsError(
      "EINVAL",
      `Cannot use the state in "${directory}": a newer pailfs wrote it (schema ${meta.schema}, known ${JOURNAL_SCHEMA}); update pailfs, or choose another --state-dir`,
    );
  }
  if (meta.identity !== identity) {
    throw new FsError(
      "EINVAL",
      `Cannot use the state in "${directory}": it belongs to ${meta.identity}, wanted ${identity}; choose another --state-dir`,
    );
  }
}

interface OpenedIndex {
  readonly index: NameIndex;
  readonly indexMeta: IndexMeta;
}

async function whyLost(
  path: string,
  meta: JournalMeta | undefined,
  bootId: string,
): Promise<string | undefined> {
  if (meta === undefined) return "it belongs to another journal";
  if (!(await exists(path))) return "it is missing";
  if (!meta.indexClosed && meta.bootId !== bootId) return "the host went down while it was open";
  return undefined;
}

/** Undefined, with the index gone, when it has to be built anew. */
async function openIndex(
  path: string,
  journal: Journal,
  meta: JournalMeta,
): Promise<OpenedIndex | undefined> {
  try {
    // closed in order it is taken at its word, reading all of it would cost seconds
    const damage = await (meta.indexClosed ? findHeaderDamage(path) : findPageDamage(path));
    if (damage !== undefined) throw new Error(damage);
    const index = new NameIndex(path);
    const found = index.readMeta();
    const reason = whyUnfit(found, journal, meta);
    if (found !== undefined && reason === undefined) {
      return { index, indexMeta: await applyRedo(index, journal, found) };
    }
    await index.close();
    throw new Error(reason);
  } catch (error) {
    if (error instanceof FsError) throw error;
    await discardIndex(path, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function discardIndex(path: string, reason: string | undefined): Promise<void> {
  if (reason !== undefined) log.warn("Index of names is built anew: %s", reason);
  await rm(path, { force: true });
  await rm(`${path}-lock`, { force: true });
}

function whyUnfit(
  found: IndexMeta | undefined,
  journal: Journal,
  meta: JournalMeta,
): string | undefined {
  if (found === undefined) return "it has no header";
  if (found.schema !== INDEX_SCHEMA) return `it has schema ${found.schema}`;
  if (found.journalId !== meta.journalId) return "it belongs to another journal";
  const isBehind = found.applied < journal.firstRedoSeq() - 1;
  if (isBehind || found.applied > journal.lastRedoSeq()) return "it does not follow the journal";
  return undefined;
}

/** What the journal has and the index had not when the daemon died. */
async function applyRedo(index: NameIndex, journal: Journal, meta: IndexMeta): Promise<IndexMeta> {
  let applied = meta;
  for (const { seq, record } of journal.redoRecords(meta.applied)) {
    applied = { ...applied, applied: seq };
    await index.commit(decodeNameChanges(record), applied);
  }
  return applied;
}

async function createIndex(
  path: string,
  journal: Journal,
  meta: JournalMeta,
): Promise<OpenedIndex> {
  const index = new NameIndex(path);
  const base = {
    schema: INDEX_SCHEMA,
    journalId: meta.journalId,
    applied: journal.lastRedoSeq(),
  };
  return { index, indexMeta: await rebuildIndex(journal, index, base, meta.inoLimit) };
}
