import { expect, test } from "vitest";
import { bodyOf, parseRequest, uniqueOf } from "../../../../src/fuse/kernel/request.ts";
import { ByteReader, ProtocolError } from "../../../../src/fuse/kernel/byte-reader.ts";
import { operationFor } from "../../../../src/fuse/kernel/dispatch.ts";
import { rows } from "./golden-rows.ts";

/** The request of a body: header fields are odd on purpose. */
function message(opcode: number, body: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40 + body.length, 0); // len
  header.writeUInt32LE(opcode, 4); // opcode
  header.writeBigUInt64LE(0x8000_0000_dead_beeen, 8); // unique: resent
  header.writeBigUInt64LE(0x0001_0000_0000_0007n, 16); // nodeid
  header.writeUInt32LE(0xfffffffe, 24); // uid
  header.writeUInt32LE(0x80000001, 28); // gid
  header.writeUInt32LE(4711, 32); // pid
  return Buffer.concat([header, body]);
}

test("parseRequest() reads every field of the header", () => {
  const request = parseRequest(message(22, Buffer.alloc(0)), 40);
  expect(request).toMatchObject({
    opcode: 22,
    uniqueLow: 0xdeadbeee,
    uniqueHigh: 0x80000000,
    nodeid: 2 ** 48 + 7,
    uid: 0xfffffffe,
    gid: 0x80000001,
    pid: 4711,
  });
  expect(request.unique).toBe(0xdeadbeee);
});

test.each([
  [2, 0, 2],
  [3, 0, 2], // an interrupt's own id
  [0xfffffffe, 0x80000001, 2 ** 33 - 2], // resent
])("uniqueOf(%d, %d) drops the mark bits", (low, high, expected) => {
  expect(uniqueOf(low, high)).toBe(expected);
});

test("parseRequest() refuses a message that is shorter than its header or its length", () => {
  expect(() => parseRequest(Buffer.alloc(39), 39)).toThrow(ProtocolError);
  expect(() => parseRequest(message(1, Buffer.alloc(3)), 42)).toThrow(ProtocolError);
});

test("a request's signal exists only when asked for, and knows an earlier interrupt", () => {
  const one = parseRequest(message(1, Buffer.alloc(0)), 40);
  expect(one.signal.aborted).toBe(false);
  one.interrupt();
  expect(one.signal.aborted).toBe(true);
  const other = parseRequest(message(1, Buffer.alloc(0)), 40);
  other.interrupt();
  expect(other.signal.aborted).toBe(true);
});

test.each(rows)("$name is parsed from its bytes", ({ opcode, body, argument }) => {
  const bytes = message(opcode, Buffer.concat(body));
  const row = operationFor(opcode);
  const request = parseRequest(bytes, bytes.length);
  expect(row?.parse(bodyOf(bytes, bytes.length), request)).toEqual(argument);
});

const strictRows = rows.filter(({ body, optional }) => body.length > 0 && optional !== true);

test.each(strictRows)("$name without its last byte is a protocol error", ({ opcode, body }) => {
  const bytes = message(opcode, Buffer.concat(body).subarray(0, -1));
  const request = parseRequest(bytes, bytes.length);
  expect(() => operationFor(opcode)?.parse(bodyOf(bytes, bytes.length), request)).toThrow(
    ProtocolError,
  );
});

test("a name keeps a genuine U+FFFD, and is undefined when it is not UTF-8", () => {
  const read = (bytes: readonly number[]): string | undefined => {
    const buffer = Buffer.from([...bytes, 0]);
    return new ByteReader(buffer, 0, buffer.length).name();
  };
  expect(read([0x61, 0xef, 0xbf, 0xbd])).toBe("a\uFFFD");
  expect(read([0x61, 0xff, 0xfe])).toBeUndefined();
  expect(read([0xc0, 0x80])).toBeUndefined(); // overlong NUL
  expect(read([0xed, 0xa0, 0x80])).toBeUndefined(); // a lone surrogate
  expect(read([])).toBe("");
});

/** xorshift32: a failing seed can be run again. */
function randomBytes(seed: number, length: number): Buffer {
  let state = seed;
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

/** What parsing throws that is no protocol error. */
function unexpectedFailure(bytes: Buffer): unknown {
  try {
    const request = parseRequest(bytes, bytes.length);
    operationFor(request.opcode)?.parse(bodyOf(bytes, bytes.length), request);
  } catch (error) {
    if (!(error instanceof ProtocolError)) return error;
  }
  return undefined;
}

test("random bytes give an argument or a protocol error, nothing else", () => {
  const failures: unknown[] = [];
  for (let seed = 1; seed <= 4000; seed++) {
    const bytes = randomBytes(seed, 40 + (seed % 160));
    // most would fail on length and opcode alone
    if (seed % 4 !== 0) bytes.writeUInt32LE(bytes.length, 0);
    if (seed % 8 !== 0) bytes.writeUInt32LE(seed % 56, 4);
    const failure = unexpectedFailure(bytes);
    if (failure !== undefined) failures.push({ seed, failure });
  }
  expect(failures).toEqual([]);
});
