// Reads what RecordWriter wrote; every read past the end throws, so that a torn record is never half believed.

/** A cursor over one record; copies whatever it returns, so the bytes may be reused afterwards. */
export class RecordReader {
  private readonly bytes: Buffer;
  private readonly view: DataView;
  private readonly end: number;
  private position: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, end);
    this.position = start;
    this.end = end;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  private advance(count: number): number {
    const start = this.position;
    if (start + count > this.end) throw new RangeError("Record ends too early");
    this.position = start + count;
    return start;
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.view.getUint8(this.advance(1));
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  int64(): bigint {
    return this.view.getBigInt64(this.advance(8), true);
  }

  string(): string {
    const size = this.varint();
    const start = this.advance(size);
    return this.bytes.toString("utf8", start, start + size);
  }

  data(): Uint8Array {
    const size = this.varint();
    const start = this.advance(size);
    return new Uint8Array(this.bytes.subarray(start, start + size));
  }

  hex(size: number): string {
    const start = this.advance(size);
    return this.bytes.toString("hex", start, start + size);
  }
}
