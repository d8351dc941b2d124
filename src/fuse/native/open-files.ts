import type { FileHandle } from "../../fs/file-system.ts";
import { FsError } from "../../posix/errno.ts";
import { isBelowOrEqual } from "../../posix/path.ts";

/** One open file. */
export interface OpenFile {
  /** Where libfuse believes it to be; a name of its own making once the file was unlinked. */
  path: string;
  readonly handle: FileHandle;
  readonly writable: boolean;
}

// fh crosses fuse-native as a signed number of 32 bits, and 0 as none
const FH_LIMIT = 2 ** 31;

/** The open files by the numbers that libfuse has for them. */
export class OpenFiles {
  readonly #files = new Map<number, OpenFile>();
  #last = 0;

  get size(): number {
    return this.#files.size;
  }

  add(file: OpenFile): number {
    do this.#last = (this.#last % (FH_LIMIT - 1)) + 1;
    while (this.#files.has(this.#last));
    this.#files.set(this.#last, file);
    return this.#last;
  }

  /** EBADF for a number that is not open. */
  get(fh: number): FileHandle {
    const file = this.#files.get(fh);
    if (file === undefined) throw new FsError("EBADF", `Cannot find open file ${fh}`);
    return file.handle;
  }

  remove(fh: number): void {
    const file = this.#files.get(fh);
    this.#files.delete(fh);
    file?.handle.release();
  }

  /** An open file at `path`, preferably one that writes: it knows the size best. */
  at(path: string): FileHandle | undefined {
    let found: OpenFile | undefined;
    for (const file of this.#files.values()) {
      if (file.path === path && (found === undefined || file.writable)) found = file;
    }
    return found?.handle;
  }

  /** Lets the files at and below `from` follow a rename. */
  move(from: string, to: string): void {
    for (const file of this.#files.values()) {
      if (isBelowOrEqual(file.path, from)) file.path = to + file.path.slice(from.length);
    }
  }

  /** Releases everything that is still open. */
  close(): void {
    for (const fh of this.#files.keys()) this.remove(fh);
  }
}
