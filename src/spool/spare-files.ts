// Empty staged files made ahead of their use, so that a create waits for no disk.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, Errno, toSystemFsError } from "../posix/errno.ts";
import type { DirectorySync } from "./directory-sync.ts";

/** What staged files are called: the run that made them, and a number. */
export const STAGED_ID = /^[0-9a-z]{9}-[0-9a-z]{7}$/;

/** A new, empty, open file. */
export interface NewFile {
  readonly id: string;
  readonly handle: FileHandle;
  /** Resolves once its directory entry is durable; rejects with FsError. */
  readonly entrySynced: () => Promise<void>;
}

/**
 * A pool that is filled in the background; its directory fsync then also happens before a close(2) would have to wait
 * for it. Leftovers of a crash are empty and unreferenced, so that recovery removes them.
 */
export class SpareFiles {
  readonly #directory: string;
  readonly #sync: DirectorySync;
  readonly #target: number;
  readonly #spares: NewFile[] = [];
  readonly #runId: string;
  #counter = 0;
  #filling: Promise<void> | undefined;
  #closed = false;

  constructor(directory: string, sync: DirectorySync, target: number) {
    this.#directory = directory;
    this.#sync = sync;
    this.#target = target;
    // 9 digits of base 36 last until the year 5188
    this.#runId = Date.now().toString(36).padStart(9, "0");
  }

  /** Ids of files that no one has taken yet. */
  ids(): string[] {
    return this.#spares.map(({ id }) => id);
  }

  /** Rejects with FsError. */
  async take(): Promise<NewFile> {
    const spare = this.#spares.shift();
    if (this.#spares.length <= this.#target / 2) this.#refill();
    return spare ?? this.#create();
  }

  async close(): Promise<NewFile[]> {
    this.#closed = true;
    await this.#filling;
    return this.#spares.splice(0);
  }

  #refill(): void {
    if (this.#closed || this.#target === 0) return;
    // setImmediate: after the create that found the pool low was answered
    this.#filling ??= new Promise<void>((resolve) => {
      setImmediate(() => resolve(this.#fill()));
    }).finally(() => {
      this.#filling = undefined;
    });
  }

  async #fill(): Promise<void> {
    while (!this.#closed && this.#spares.length < this.#target) {
      try {
        this.#spares.push(await this.#create());
      } catch {
        // whoever creates next gets the error
        break;
      }
    }
    const made = [...this.#spares];
    // a failure comes back when the file's own sync asks again
    await Promise.allSettled(made.map((file) => file.entrySynced()));
  }

  async #create(): Promise<NewFile> {
    for (;;) {
      const id = `${this.#runId}-${(this.#counter++).toString(36).padStart(7, "0")}`;
      try {
        const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
        const handle = await open(join(this.#directory, id), flags, 0o600);
        return { id, handle, entrySynced: this.#syncOnce() };
      } catch (error) {
        // the clock was set back to the start of an earlier run
        if (errnoOf(error) === Errno.EEXIST) continue;
        throw toSystemFsError(error, "Cannot create a staged file");
      }
    }
  }

  #syncOnce(): () => Promise<void> {
    let done: Promise<void> | undefined;
    return () => {
      done ??= this.#sync.sync().catch((error: unknown) => {
        done = undefined;
        throw error;
      });
      return done;
    };
  }
}
