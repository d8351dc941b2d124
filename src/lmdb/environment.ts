// LMDB (lmdb-js) as all databases here use it: binary keys and values, explicit batches, FsError on failure.
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { type ErrnoName, FsError } from "../posix/errno.ts";
import { ReservedRoom } from "../posix/reserved-room.ts";

export type Store = Database<Buffer, Buffer>;

/** Largest key of lmdb-js with 4 KiB pages, in bytes. */
export const MAX_KEY_BYTES = 1978;

// below this much free space a failed write is taken for a full disk
const FULL_DISK_BYTES = 1024 * 1024;

const binary = { encoding: "binary", keyEncoding: "binary" } as const;

/**
 * One LMDB environment in one file.
 *
 * With `overlappingSync: false` lmdb-js resolves a batch after mdb_txn_commit returned, and that (seen with strace on
 * lmdb 3.5.6) is: pwrite of the pages, fdatasync, pwrite of the meta page through an O_DSYNC descriptor. So a resolved
 * batch is durable; with `durable: false` (MDB_NOSYNC) none of the three syncs. A batch is one transaction because
 * `eventTurnBatching` is off: with it on, lmdb-js makes promises of its own that nobody could catch when a commit fails.
 * Reads see a batch from its resolution on.
 */
export class Environment {
  readonly path: string;
  private readonly root: RootDatabase<Buffer, Buffer>;
  private readonly room: ReservedRoom;

  /** Opens or creates; throws lmdb's own error when the file is no LMDB file. Synchronous I/O: only at start. */
  constructor(path: string, options: { readonly durable: boolean }) {
    this.path = path;
    this.room = new ReservedRoom(path);
    this.root = open<Buffer, Buffer>({
      path,
      ...binary,
      noSubdir: true,
      maxDbs: 8,
      overlappingSync: false,
      noSync: !options.durable,
      eventTurnBatching: false,
    });
  }

  /** A named database of this file. */
  store(name: string): Store {
    return this.root.openDB<Buffer, Buffer>({ name, ...binary });
  }

  /**
   * Runs `puts` (synchronous puts and removes) as one transaction, later than now: one commit at a time. Rejects with FsError
   * (ENOSPC, EIO), nothing is written then.
   */
  async commit(puts: () => void): Promise<void> {
    try {
      await this.room.ensure();
      await this.root.batch(puts);
    } catch (error) {
      throw await this.toCommitError(error);
    }
  }

  /** fsyncs the file; what `durable: false` left undone. */
  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      // missing in lmdb's types
      const root = this.root as unknown as { sync(callback: (error?: Error) => void): void };
      root.sync((error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    await this.room.close();
    await this.root.close();
  }

  private async toCommitError(error: unknown): Promise<FsError> {
    if (error instanceof FsError) return error;
    const cause = await commitErrorOf(error);
    const code = (await this.isDiskFull(cause)) ? "ENOSPC" : "EIO";
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new FsError(code satisfies ErrnoName, `Cannot write "${this.path}": ${reason}`, {
      cause,
    });
  }

  /** LMDB reports a short write as EIO, which a full disk answers with as well as a broken one. */
  private async isDiskFull(cause: unknown): Promise<boolean> {
    if (cause instanceof Error && /space|quota|MAP_FULL/i.test(cause.message)) return true;
    try {
      const disk = await statfs(dirname(this.path));
      return disk.bavail * disk.bsize < FULL_DISK_BYTES;
    } catch {
      return false;
    }
  }
}

/** lmdb-js rejects with a generic error whose `commitError` is a promise that rejects with the cause. */
async function commitErrorOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
