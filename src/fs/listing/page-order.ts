// How far the pages of a listing have come, for stores that list in the order of UTF-8 bytes; others are noticed.
import { compareBytewise } from "../../posix/byte-order.ts";

/** Neighbours in order that make a store believed to list so: by chance that does not happen. */
const PROOF = 32;

/** What the listings of a store have shown of its order. */
export class StoreOrder {
  #pairs = 0;
  #isBroken = false;

  note(isInOrder: boolean): void {
    if (isInOrder) this.#pairs += 1;
    else this.#isBroken = true;
  }

  /** Whether a page proves what is not in it. */
  get isTrusted(): boolean {
    return !this.#isBroken && this.#pairs >= PROOF;
  }
}

/** As long as keys came in order, everything up to the last one is known. */
export class PageOrder {
  readonly #store: StoreOrder;
  #last: string | undefined;
  #isBroken = false;

  /** `after` is what the listing starts behind. */
  constructor(store: StoreOrder, after?: string) {
    this.#store = store;
    this.#last = after;
  }

  /** Keys and common prefixes of one page, each as the store gave them, less the directory's own prefix. */
  add(keys: readonly string[], prefixes: readonly string[]): void {
    const from = this.#last;
    for (const list of [keys, prefixes]) {
      let before = from;
      for (const key of list) {
        // some stores show the last common prefix of a page again on the next one
        if (before !== undefined) this.#note(compareBytewise(before, key) <= 0);
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

  #note(isInOrder: boolean): void {
    this.#store.note(isInOrder);
    this.#isBroken ||= !isInOrder;
  }
}
