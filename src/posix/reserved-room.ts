// Room on the disk behind the end of a database file, so that a transaction of LMDB does not meet a full disk.
import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { FsError } from "./errno.ts";
import { FALLOC_FL_KEEP_SIZE, loadSystemCalls, type SystemCalls } from "./syscalls.ts";

/** What is asked for behind the end, in bytes: the first that the disk has. */
const STEPS_BYTES = [4 * 1024 * 1024, 256 * 1024, 64 * 1024] as const;
/** With so much left nothing is asked for, in bytes. */
const ENOUGH_BYTES = 1024 * 1024;

/**
 * lmdb-js 3.5.6 composes the message of a write that fails with ENOSPC in a buffer that is too small for it (last_error in
 * mdb.c), which damages the heap: the process aborts, at once or later. So blocks are reserved before a commit needs them,
 * and a commit does not begin without. Where the disk cannot reserve, or koffi is missing, nothing is.
 */
export class ReservedRoom {
  readonly #path: string;
  #opened: Promise<{ file: FileHandle; system: SystemCalls } | undefined> | undefined;
  /** Bytes from the file's start that have blocks. */
  #until = 0;
  #isPossible = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with ENOSPC where a transaction might not find room; for one commit at a time. */
  async ensure(): Promise<void> {
    if (!this.#isPossible) return;
    this.#opened ??= this.#open().catch(() => undefined);
    const opened = await this.#opened;
    if (opened === undefined) {
      // such as no descriptor left: the next commit tries again
      this.#opened = undefined;
      return;
    }
    // an open file of the local disk: this does not wait
    const { size } = fstatSync(opened.file.fd);
    if (this.#until - size >= ENOUGH_BYTES) return;
    for (const bytes of STEPS_BYTES) {
      if (await this.#reserve(opened, size + bytes)) return;
    }
    const least = STEPS_BYTES.at(-1) ?? 0;
    if (this.#isPossible && this.#until - size < least) {
      throw new FsError("ENOSPC", `Cannot write "${this.#path}": the disk is full`);
    }
  }

  async close(): Promise<void> {
    const opened = await this.#opened;
    this.#opened = undefined;
    await opened?.file.close();
  }

  async #open(): Promise<{ file: FileHandle; system: SystemCalls } | undefined> {
    const system = await loadSystemCalls();
    if (system === undefined) {
      this.#isPossible = false;
      return undefined;
    }
    return { file: await open(this.#path, "r+"), system };
  }

  /** Resolves to whether there are blocks up to `end`; what no disk would be full of ends the attempts. */
  async #reserve(
    { file, system }: { file: FileHandle; system: SystemCalls },
    end: number,
  ): Promise<boolean> {
    if (this.#until >= end) return true;
    try {
      await system.fallocate(file.fd, FALLOC_FL_KEEP_SIZE, 0, end);
      this.#until = end;
      return true;
    } catch (error) {
      const isFull = error instanceof FsError && /ENOSPC|EDQUOT/.test(error.code);
      if (!isFull) this.#isPossible = false;
      return !isFull;
    }
  }
}
