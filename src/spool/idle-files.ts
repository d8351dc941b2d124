// Staged files that nobody uses any more and somebody will soon: who has just written one uploads it next.
import { log } from "../log.ts";
import type { OpenStagedFile } from "./open-staged-file.ts";

/** Keeps the descriptors of so many files; the ones that came first, as they are uploaded first. */
export class IdleFiles {
  readonly #most: number;
  readonly #files = new Map<string, OpenStagedFile>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a file over: kept for take(), or closed. */
  put(file: OpenStagedFile): void {
    if (this.#files.size < this.#most) this.#files.set(file.id, file);
    else closeFile(file);
  }

  /** Gives a file back with its descriptor, if it was kept. */
  take(id: string): OpenStagedFile | undefined {
    const file = this.#files.get(id);
    this.#files.delete(id);
    return file;
  }

  peek(id: string): OpenStagedFile | undefined {
    return this.#files.get(id);
  }

  /** The file is gone, or about to be. */
  drop(id: string): void {
    const file = this.take(id);
    if (file !== undefined) closeFile(file);
  }

  dropAll(): void {
    for (const id of this.#files.keys()) this.drop(id);
  }
}

/** Closes the descriptor of a file that nobody uses; what goes wrong is logged. */
export function closeFile({ handle }: OpenStagedFile): void {
  handle.close().catch((error: unknown) => log.warn("Cannot close a staged file: %s", error));
}
