// How far the pages of a listing have come, for stores that list in the order of UTF-8 bytes; others are noticed.
import { compareBytewise } from "../posix/byte-order.ts";

/** As long as keys came in order, everything up to the last one is known. */
export class PageOrder {
  #last: string | undefined;
  #isBroken = false;
  /** Neighbours that were in order. */
  #pairs = 0;

  /** Keys and common prefixes of one page, each as the store gave them, less the directory's own prefix. */
  add(keys: readonly string[], prefixes: readonly string[]): void {
    const from = this.#last;
    for (const list of [keys, prefixes]) {
      let before = from;
      for (const key of list) {
        if (before !== undefined) {
          // some stores show the last common prefix of a page again on the next one
          if (compareBytewise(before, key) > 0) this.#isBroken = true;
          else this.#pairs += 1;
        }
        before = key;
      }
      if (before !== undefined && compareBytewise(this.#last ?? "", before) < 0) {
        this.#last = before;
      }
    }
  }

  /** The last key or prefix, up to which all keys have come; undefined when nothing can be said. */
  get last(): string | undefined {
    return this.#isBroken ? undefined : this.#last;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  get pairs(): number {
    return this.#pairs;
  }
}
