// The bytes of one block on their way to the disk: taken in order, written as they come, checksummed without a copy.
import { crc32 } from "node:zlib";

/** Collects a block from its start on. */
export class BlockAssembly {
  /** Bytes of the whole block. */
  readonly length: number;
  /** Whether room was made for it. */
  isReserved = false;
  /** What is writing it now: ends when all that was pushed is written or dropped. */
  writing: Promise<void> | undefined;
  private accepted = 0;
  private written = 0;
  private checksum = 0;
  private queue: Uint8Array[] = [];

  constructor(length: number) {
    this.length = length;
  }

  get crc(): number {
    return this.checksum;
  }

  get isComplete(): boolean {
    return this.written === this.length;
  }

  /** The part of `data` (which lies at `offset` in the block) that comes next; undefined for a repetition or after a gap. */
  next(offset: number, data: Uint8Array): Uint8Array | undefined {
    const skip = this.accepted - offset;
    return skip < 0 || skip >= data.length ? undefined : data.subarray(skip);
  }

  /** Takes what next() returned. */
  push(data: Uint8Array): void {
    this.accepted += data.length;
    this.queue.push(data);
  }

  /** What is to be written now, and where in the block. */
  take(): { readonly chunks: Uint8Array[]; readonly offset: number; readonly bytes: number } {
    const chunks = this.queue;
    this.queue = [];
    let bytes = 0;
    for (const chunk of chunks) {
      this.checksum = crc32(chunk, this.checksum);
      bytes += chunk.length;
    }
    const offset = this.written;
    this.written += bytes;
    return { chunks, offset, bytes };
  }

  get hasMore(): boolean {
    return this.queue.length > 0;
  }
}
