// Memory of reads, used again and again: what is left to the garbage collector makes it run over the whole heap for every
// 64 MB that were read.
import { debuglog } from "node:util";

/** Milliseconds after which memory that nobody reads into is given back to the system. */
const IDLE_MS = 2000;

/** NODE_DEBUG=pailfs-poison: tests then see who still looks at memory that was given back. */
const isPoisoned = debuglog("pailfs-poison").enabled;

/** Buffers of one size. */
export class ReadBuffers {
  readonly #size: number;
  readonly #limit: number;
  /** Of this size, taken and not given back. */
  #taken = 0;
  #spare: Uint8Array[] = [];
  #idle: NodeJS.Timeout | undefined;
  /** Turns of the event loop, counted only while somebody asks. */
  #turn = 0;
  #isCounting = false;

  /** In bytes: `size` of each buffer, and `limit` up to which those in use and those kept for the next reader may grow. */
  constructor(size: number, limit: number) {
    this.#size = size;
    this.#limit = limit;
  }

  /** Memory of `bytes`, with anything in it. */
  take(bytes: number): Uint8Array {
    if (bytes !== this.#size) return Buffer.allocUnsafeSlow(bytes);
    this.#taken += 1;
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(bytes);
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
    if (buffer.length !== this.#size) return;
    if (turn === this.turn) setImmediate(() => this.#keep(buffer));
    else this.#keep(buffer);
  }

  #keep(buffer: Uint8Array): void {
    this.#taken -= 1;
    if ((this.#taken + this.#spare.length + 1) * this.#size > this.#limit) return;
    if (isPoisoned) buffer.fill(0xdb);
    this.#spare.push(buffer);
    this.#idle ??= setTimeout(() => {
      this.#idle = undefined;
      this.#spare = [];
    }, IDLE_MS).unref();
    this.#idle.refresh();
  }
}
