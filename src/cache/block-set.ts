// A set of block numbers of one object, as a bitmap.

/** Block numbers from 0 to `length` - 1. */
export class BlockSet {
  readonly length: number;
  readonly bits: Uint8Array;
  private members = 0;

  constructor(length: number, bits?: Uint8Array) {
    this.length = length;
    this.bits = new Uint8Array(Math.ceil(length / 8));
    if (bits === undefined) return;
    for (let block = 0; block < length; block++) {
      if (((bits[block >> 3] ?? 0) >> (block & 7)) & 1) this.add(block);
    }
  }

  get count(): number {
    return this.members;
  }

  get isFull(): boolean {
    return this.members === this.length;
  }

  has(block: number): boolean {
    return (((this.bits[block >> 3] ?? 0) >> (block & 7)) & 1) === 1;
  }

  /** Whether all blocks from `first` to `last`, both included, are in. */
  hasAll(first: number, last: number): boolean {
    if (this.isFull) return last < this.length;
    for (let block = first; block <= last; block++) if (!this.has(block)) return false;
    return true;
  }

  add(block: number): void {
    if (this.has(block)) return;
    this.bits[block >> 3] = (this.bits[block >> 3] ?? 0) | (1 << (block & 7));
    this.members++;
  }

  addAll(): void {
    for (let block = 0; block < this.length; block++) this.add(block);
  }

  delete(block: number): void {
    if (!this.has(block)) return;
    this.bits[block >> 3] = (this.bits[block >> 3] ?? 0) & ~(1 << (block & 7));
    this.members--;
  }

  /** The highest member, or -1. */
  last(): number {
    let block = this.length - 1;
    while (block >= 0 && !this.has(block)) block--;
    return block;
  }
}
