// Memory of reads, used again and again: what is left to the garbage collector makes it run over the whole heap for every
// 64 MB that were read.
import { poison } from "../../posix/given-back.ts";
import type { AllocateMemory } from "../../posix/page-aligned.ts";

/** Milliseconds after which memory that nobody reads into is given back to the system. */
const IDLE_MS = 2000;

const allocateAnywhere: AllocateMemory = (bytes) => Buffer.allocUnsafeSlow(bytes);

/** Buffers of whole units; others are made for the occasion. */
export class ReadBuffers {
  readonly #allocate: AllocateMemory;
  readonly #unit: number;
  readonly #limit: number;
  /** Bytes that were taken and not given back. */
  #taken = 0;
  /** Bytes in `#spare`. */
  #kept = 0;
  /** By size. */
  readonly #spare = new Map<number, Uint8Array[]>();
  #idle: NodeJS.Timeout | undefined;
  /** Turns of the event loop, counted only while somebody asks. */
  #turn = 0;
  #isCounting = false;

  /** In bytes: the `unit`, and `limit` up to which buffers in use and those kept for the next reader may grow. */
  constructor(unit: number, limit: number, allocate: AllocateMemory = allocateAnywhere) {
    this.#allocate = allocate;
    this.#unit = unit;
    this.#limit = limit;
  }

  /** Memory of `bytes`, with anything in it. */
  take(bytes: number): Uint8Array {
    if (bytes % this.#unit !== 0) return Buffer.allocUnsafeSlow(bytes);
    this.#taken += bytes;
    const spare = this.#spare.get(bytes)?.pop();
    if (spare !== undefined) this.#kept -= bytes;
    this.#dropSpare();
    return spare ?? this.#allocate(bytes);
  }

  /** A number for this turn of the event loop, another one in the next. */
  get turn(): number {
    if (!this.#isCounting) {
      this.#isCounting = true;
      setImmediate(() => {
        this.#isCounting = false;
        this.#turn += 1;
      });
    }
    return this.#turn;
  }

  /** Takes memory back that was last lent in `turn`: whoever was lent it has used it by the end of that turn. */
  give(buffer: Uint8Array, turn: number): void {
    if (buffer.length % this.#unit !== 0) return;
    if (turn === this.turn) setImmediate(() => this.#keep(buffer));
    else this.#keep(buffer);
  }

  #keep(buffer: Uint8Array): void {
    const { length } = buffer;
    this.#taken -= length;
    if (this.#taken + this.#kept + length > this.#limit) return;
    poison(buffer);
    const sameSize = this.#spare.get(length);
    if (sameSize === undefined) this.#spare.set(length, [buffer]);
    else sameSize.push(buffer);
    this.#kept += length;
    this.#idle ??= setTimeout(() => {
      this.#idle = undefined;
      this.#spare.clear();
      this.#kept = 0;
    }, IDLE_MS).unref();
    this.#idle.refresh();
  }

  /** Other sizes are wanted now than before. */
  #dropSpare(): void {
    for (const [size, buffers] of this.#spare) {
      while (this.#taken + this.#kept > this.#limit && buffers.pop() !== undefined) {
        this.#kept -= size;
      }
    }
  }
}
