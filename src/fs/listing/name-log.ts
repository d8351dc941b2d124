// The names that an open directory has given, in order: seekdir(3) comes back to them. Packed, since there may be
// millions: their bytes and four more each.
const FIRST_BYTES = 4096;

export class NameLog {
  #bytes = Buffer.alloc(0);
  #ends = new Uint32Array(0);
  #length = 0;

  /** Names so far. */
  get length(): number {
    return this.#length;
  }

  push(name: string): void {
    const start = this.#end(this.#length);
    const room = start + name.length * 3;
    if (room > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(FIRST_BYTES, room, this.#bytes.length * 2));
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    if (this.#length === this.#ends.length) {
      const grown = new Uint32Array(Math.max(64, this.#ends.length * 2));
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#ends[this.#length] = start + this.#bytes.write(name, start);
    this.#length += 1;
  }

  /** The name at `index`, which is less than `length`. */
  at(index: number): string {
    return this.#bytes.toString("utf8", this.#end(index), this.#end(index + 1));
  }

  clear(): void {
    this.#length = 0;
  }

  /** Where name number `count - 1` ends. */
  #end(count: number): number {
    return count === 0 ? 0 : (this.#ends[count - 1] ?? 0);
  }
}
