// Memory for what the sockets receive. Left to itself Node.js makes an ArrayBuffer of every read of a socket: a GET of
// 1 GB then costs 16 collections of the whole heap, a fifth of the daemon's CPU while it reads. Here each socket has two
// buffers in turn, so whoever takes a chunk copies it at once (IncomingBody does).
import type { Socket } from "node:net";

/** Bytes taken from a socket at a time. */
export const RECEIVE_BYTES = 256 * 1024;

/**
 * Reads below this get memory of their own, for undici keeps parts of a head that comes in pieces. It refuses heads of
 * more than 16 KiB (maxHeaderSize), so that a larger read never ends in one; TLS brings 16 KiB at a time.
 */
export const SMALL_BYTES = 16 * 1024;

/** The `onread` option of net.connect() and tls.connect(), one for any number of sockets. */
export class ReceiveBuffers {
  readonly #spares = new WeakMap<Socket, Buffer>();
  /** The socket whose callback has just run: buffer() is called next for the same one, without saying so. */
  #current: { readonly socket: Socket; readonly used: Buffer; readonly length: number } | undefined;

  /** The options to hand to connect(). */
  get onread(): {
    readonly buffer: () => Buffer;
    readonly callback: (this: Socket, length: number, buffer: Buffer) => boolean;
  } {
    const take = (socket: Socket, length: number, used: Buffer): boolean =>
      this.#take(socket, length, used);
    return {
      buffer: () => this.#next(),
      callback(length, buffer) {
        return take(this, length, buffer);
      },
    };
  }

  #take(socket: Socket, length: number, used: Buffer): boolean {
    this.#current = { socket, used, length };
    const chunk = used.subarray(0, length);
    return socket.push(length < SMALL_BYTES ? Buffer.from(chunk) : chunk);
  }

  #next(): Buffer {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return Buffer.allocUnsafeSlow(RECEIVE_BYTES);
    const { socket, used, length } = current;
    if (length < SMALL_BYTES) return used;
    const spare = this.#spares.get(socket);
    this.#spares.set(socket, used);
    // what is unread besides this chunk may lie in the other buffer: that one is left to its reader
    if (spare !== undefined && socket.readableLength === length) return spare;
    return Buffer.allocUnsafeSlow(RECEIVE_BYTES);
  }
}
