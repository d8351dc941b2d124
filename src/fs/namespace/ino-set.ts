// A set of inode numbers: they are given out one after the other, so a bit each is enough for a directory of millions.
const PAGE_BITS = 4096;

export class InoSet {
  readonly #pages = new Map<number, Uint32Array>();

  add(ino: number): void {
    const number = Math.floor(ino / PAGE_BITS);
    let page = this.#pages.get(number);
    if (!page) {
      page = new Uint32Array(PAGE_BITS / 32);
      this.#pages.set(number, page);
    }
    const bit = ino % PAGE_BITS;
    page[bit >>> 5] = (page[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  has(ino: number): boolean {
    const page = this.#pages.get(Math.floor(ino / PAGE_BITS));
    const bit = ino % PAGE_BITS;
    return page !== undefined && ((page[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0;
  }
}
