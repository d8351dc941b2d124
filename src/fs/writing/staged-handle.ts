// open(2) for reading of content that was closed and is not uploaded yet.
import type { StagedFile } from "../../spool/spool.ts";
import type { CallContext, MaybePromise } from "../file-system.ts";
import { ReadOnlyHandle, type ReadOnlyHost } from "../reading/read-only-handle.ts";

export class StagedHandle extends ReadOnlyHandle<ReadOnlyHost> {
  readonly #staged: StagedFile;

  constructor(staged: StagedFile, host: ReadOnlyHost) {
    super(host);
    this.#staged = staged;
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

  lseek(offset: number, whence: number): MaybePromise<number> {
    return this.#staged.seek(offset, whence);
  }
}
