// Memory for large segments, used again and again: what is left to the garbage collector makes it run over the whole heap
// for every 64 MB that were read.
import { debuglog } from "node:util";

/** Milliseconds after which memory that nobody reads into is given back to the system. */
const IDLE_MS = 2000;

/** NODE_DEBUG=pailfs-poison: tests then see who still looks at memory that was given back. */
const isPoisoned = debuglog("pailfs-poison").enabled;

/** Buffers of one size. */
export class SegmentBuffers {
  readonly #size: number;
  readonly #mostSpare: number;
  #spare: Uint8Array[] = [];
  #idle: NodeJS.Timeout | undefined;

  /** Sizes in bytes: of each buffer, and of what is kept for the next reader. */
  constructor(size: number, spareBytes: number) {
    this.#size = size;
    this.#mostSpare = Math.floor(spareBytes / size);
  }

  /** Memory of `bytes`, with anything in it. */
  take(bytes: number): Uint8Array {
    const spare = bytes === this.#size ? this.#spare.pop() : undefined;
    return spare ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes memory back; the caller sees to it that nobody looks at it any more. */
  give(buffer: Uint8Array): void {
    if (buffer.length !== this.#size || this.#spare.length >= this.#mostSpare) return;
    if (isPoisoned) buffer.fill(0xdb);
    this.#spare.push(buffer);
    this.#idle ??= setTimeout(() => {
      this.#idle = undefined;
      this.#spare = [];
    }, IDLE_MS).unref();
    this.#idle.refresh();
  }
}
