import { REQUEST_BUFFER_SIZE } from "./abi.ts";

/** 8 MiB at most, and only when that many WRITEs wait at once. */
const RING_SIZE = 8;

/** The buffers requests are read into; made when first needed, the last one given back is taken first (it is in the CPU's cache). */
export class RequestBuffers {
  readonly #free: Buffer[] = [];
  #made = 0;

  /** A buffer for one request; the caller gives it back. */
  take(): Buffer {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#made++;
    // its own memory, so that the shared pool of small buffers is not touched
    return Buffer.allocUnsafeSlow(REQUEST_BUFFER_SIZE);
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
  }

  /** Whether the one in use may be lent to an operation: another is left to read into. */
  get hasSpare(): boolean {
    return this.#free.length > 0 || this.#made < RING_SIZE;
  }
}
