// opendir(3) of the mount's root: local names first, then the core's without those that they hide.
import type {
  CallContext,
  DirectoryEntry,
  DirectoryHandle,
  MaybePromise,
} from "../fs/file-system.ts";

export class MergedDirectoryHandle implements DirectoryHandle {
  readonly #core: DirectoryHandle;
  readonly #local: readonly DirectoryEntry[];
  readonly #isHidden: (name: string) => boolean;
  /** Places of hidden entries in the core's order, ascending, as far as they were met. */
  readonly #skipped: number[] = [];

  /** Owns `core`; `isHidden` is asked about each of its names. */
  constructor(
    core: DirectoryHandle,
    local: readonly DirectoryEntry[],
    isHidden: (name: string) => boolean,
  ) {
    this.#core = core;
    this.#local = local;
    this.#isHidden = isHidden;
  }

  read(
    offset: number,
    context: CallContext,
    plus?: boolean,
  ): MaybePromise<readonly DirectoryEntry[]> {
    if (offset < this.#local.length) return this.#local.slice(offset);
    return this.#readCore(offset - this.#local.length, context, plus);
  }

  fsync(context: CallContext): MaybePromise<void> {
    return this.#core.fsync(context);
  }

  release(): void {
    this.#core.release();
  }

  /** From the `shown`th entry of the core that is not hidden. */
  async #readCore(
    shown: number,
    context: CallContext,
    plus: boolean | undefined,
  ): Promise<readonly DirectoryEntry[]> {
    let at = shown;
    for (const skipped of this.#skipped) if (skipped <= at) at += 1;
    for (;;) {
      const from = at;
      const batch = await this.#core.read(from, context, plus);
      const kept = batch.filter(({ name }, index) => !this.#skips(name, from + index));
      if (batch.length === 0 || kept.length > 0) return kept;
      at += batch.length;
    }
  }

  #skips(name: string, place: number): boolean {
    if (!this.#isHidden(name)) return false;
    if (!this.#skipped.includes(place)) {
      this.#skipped.push(place);
      this.#skipped.sort((a, b) => a - b);
    }
    return true;
  }
}
