import type { CallContext } from "../../fs/file-system.ts";
import { IN_HEADER_SIZE } from "./abi.ts";
import { ByteReader, ProtocolError } from "./byte-reader.ts";

const TWO_POW_32 = 2 ** 32;

/** One request's header and who sent it; its signal is made only when someone asks for it. */
export class Request implements CallContext {
  readonly opcode: number;
  /** Exact halves of the 64-bit id: bit 63 marks a resent request and must come back in the reply. */
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly nodeid: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Set by the operations that carry one. */
  umask = 0;
  #controller: AbortController | undefined;
  #interrupted = false;

  constructor(bytes: Buffer) {
    this.opcode = bytes.readUInt32LE(4);
    this.uniqueLow = bytes.readUInt32LE(8);
    this.uniqueHigh = bytes.readUInt32LE(12);
    this.nodeid = bytes.readUInt32LE(16) + bytes.readUInt32LE(20) * TWO_POW_32;
    this.uid = bytes.readUInt32LE(24);
    this.gid = bytes.readUInt32LE(28);
    this.pid = bytes.readUInt32LE(32);
  }

  /** The id without its two mark bits (0: an interrupt's own, 63: resent). */
  get unique(): number {
    return uniqueOf(this.uniqueLow, this.uniqueHigh);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#interrupted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Tells the operation that its caller gave up. */
  interrupt(): void {
    this.#interrupted = true;
    this.#controller?.abort();
  }
}

/** The 64-bit id of a request as a number, without its mark bits. */
export function uniqueOf(low: number, high: number): number {
  return (low & ~1) + (low < 0x80000000 ? 0 : TWO_POW_32) + (high & 0x7fffffff) * TWO_POW_32;
}

/** Reads the header of the message in the first `length` bytes; throws ProtocolError. */
export function parseRequest(bytes: Buffer, length: number): Request {
  if (length < IN_HEADER_SIZE) {
    throw new ProtocolError(`Request of ${length} bytes has no whole header`);
  }
  const declared = bytes.readUInt32LE(0);
  if (declared !== length) {
    throw new ProtocolError(`Request of ${length} bytes says it has ${declared}`);
  }
  return new Request(bytes);
}

/** A cursor over the body of the message in the first `length` bytes. */
export function bodyOf(bytes: Buffer, length: number): ByteReader {
  return new ByteReader(bytes, IN_HEADER_SIZE, length);
}
