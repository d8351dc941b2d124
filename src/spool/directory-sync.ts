// fsync of one directory, grouped over its callers.
import { type FileHandle, open } from "node:fs/promises";
import { toSystemFsError } from "../posix/errno.ts";

/**
 * One fsync is under way at a time. A caller may have changed the directory after that one began, so it shares the next
 * one with all who come until then.
 */
export class DirectorySync {
  readonly #handle: FileHandle;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(directory: string): Promise<DirectorySync> {
    return new DirectorySync(await open(directory, "r"));
  }

  /** Resolves when all entries made before the call are durable; rejects with FsError. */
  sync(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(
      () => this.#startNext(),
      () => this.#startNext(),
    );
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await this.#next?.catch(() => undefined);
    await this.#handle.close();
  }

  #startNext(): Promise<void> {
    this.#next = undefined;
    return this.#start();
  }

  #start(): Promise<void> {
    const running = this.#fsync().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #fsync(): Promise<void> {
    try {
      await this.#handle.sync();
    } catch (error) {
      throw toSystemFsError(error, "Cannot sync the spool directory");
    }
  }
}
