import { isUtf8 } from "node:buffer";

/** The bytes at hand are not a message of the protocol. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

const TWO_POW_32 = 2 ** 32;

/** A cursor over the body of one request; each read past its end throws ProtocolError. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset: number;
  readonly #end: number;

  constructor(bytes: Buffer, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  #advance(length: number): number {
    const at = this.#offset;
    if (length > this.#end - at) {
      throw new ProtocolError(`Request ends ${length - (this.#end - at)} bytes early`);
    }
    this.#offset = at + length;
    return at;
  }

  skip(length: number): void {
    this.#advance(length);
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  /** Exact up to 2^53, rounded above: offsets and counts that large are refused or clamped by their users. */
  u64(): number {
    const at = this.#advance(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * TWO_POW_32;
  }

  i64(): bigint {
    return this.#bytes.readBigInt64LE(this.#advance(8));
  }

  /** A NUL-terminated name; undefined when its bytes are not UTF-8. */
  name(): string | undefined {
    const start = this.#offset;
    const end = this.#bytes.indexOf(0, start);
    if (end === -1 || end >= this.#end) throw new ProtocolError("Name without its final NUL");
    this.#offset = end + 1;
    const text = this.#bytes.toString("utf8", start, end);
    // the decoder puts U+FFFD for bad bytes; names may hold a genuine one
    if (!text.includes("\uFFFD") || isUtf8(this.#bytes.subarray(start, end))) return text;
    return undefined;
  }

  /** `length` bytes, borrowed from the request. */
  bytes(length: number): Buffer {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }
}
