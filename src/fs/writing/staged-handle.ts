// open(2) for reading of content that was closed and is not uploaded yet.
import type { StagedFile } from "../../spool/spool.ts";
import type { CallContext, Entry, FileHandle, MaybePromise } from "../file-system.ts";
import { notWritable, type ReadOnlyHost } from "../reading/object-handle.ts";

export class StagedHandle implements FileHandle {
  readonly keepCache = true;
  readonly #staged: StagedFile;
  readonly #host: ReadOnlyHost;

  constructor(staged: StagedFile, host: ReadOnlyHost) {
    this.#staged = staged;
    this.#host = host;
  }

  entry(): Entry {
    return this.#host.entry();
  }

  backing(): number {
    return this.#staged.fd;
  }

  async read(
    offset: number,
    length: number,
    _context: CallContext,
  ): Promise<readonly Uint8Array[]> {
    const bytes = await this.#staged.read(offset, length);
    return bytes.length === 0 ? [] : [bytes];
  }

  write(): never {
    throw notWritable();
  }

  setattr: FileHandle["setattr"] = (changes, context) => {
    if (changes.size !== undefined) throw notWritable();
    return this.#host.setattr(changes, context);
  };

  flush(): void {
    // nothing was written
  }

  fsync(): void {
    // the writer's close made it durable
  }

  fallocate(): never {
    throw notWritable();
  }

  lseek(offset: number, whence: number): MaybePromise<number> {
    return this.#staged.seek(offset, whence);
  }

  release(): void {
    this.#host.release();
  }
}
