import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { file } from "tmp-promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileUploadSource } from "../../../src/s3/file-upload-source.ts";
import { smallFileSource } from "../../../src/s3/small-file-source.ts";
import type { UploadSource } from "../../../src/s3/object-store.ts";
import { rampBytes } from "../../support/s3-store.ts";

const data = rampBytes(3_000_000);
let handle: FileHandle;
let cleanup: () => Promise<void>;
let source: UploadSource;

beforeAll(async () => {
  const made = await file();
  cleanup = made.cleanup;
  handle = await open(made.path, "r+");
  await handle.writeFile(data);
  source = fileUploadSource(handle.fd, data.length);
});

afterAll(async () => {
  await handle.close();
  await cleanup();
});

test.each([
  [0, 3_000_000],
  [1, 2_999_999],
  [100, 100],
  [0, 1000],
  [2_500_000, 3_000_000],
])("bytes and MD5 of [%i, %i)", async (start, end) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.read({ start, end })) chunks.push(Buffer.from(chunk));
  expect(Buffer.concat(chunks).equals(data.subarray(start, end))).toBe(true);
  const md5 = createHash("md5").update(data.subarray(start, end)).digest();
  expect(md5.equals(await source.md5({ start, end }))).toBe(true);
});

test("many digests at once are each their own", async () => {
  const ranges = Array.from({ length: 8 }, (_, i) => ({
    start: i * 1000,
    end: 200_000 + i * 1000,
  }));
  const digests = await Promise.all(ranges.map(async (range) => source.md5(range)));
  const expected = ranges.map(({ start, end }) =>
    createHash("md5").update(data.subarray(start, end)).digest("hex"),
  );
  expect(digests.map((digest) => Buffer.from(digest).toString("hex"))).toEqual(expected);
});

test("a file that became shorter is EIO, never a short object", async () => {
  const longer = fileUploadSource(handle.fd, data.length + 10);
  const all = { start: 0, end: longer.size };
  await expect(longer.md5(all)).rejects.toMatchObject({ code: "EIO" });
  const read = async (): Promise<void> => {
    for await (const chunk of longer.read(all)) expect(chunk.length).toBeGreaterThan(0);
  };
  await expect(read()).rejects.toMatchObject({ code: "EIO" });
});

test("a small file is read once, and its memory serves the next one when it is released", async () => {
  const reads: Buffer[] = [];
  const fill = async (buffer: Buffer): Promise<number> => {
    reads.push(buffer);
    return data.copy(buffer);
  };
  const small = smallFileSource(1000, fill);
  expect(small.crc32?.()).toBeUndefined();
  for (let attempt = 0; attempt < 2; attempt += 1) {
    for await (const chunk of small.read({ start: 10, end: 1000 })) {
      expect(data.subarray(10, 1000).equals(chunk)).toBe(true);
    }
  }
  await small.md5({ start: 0, end: 1000 });
  expect(small.crc32?.()).toBe(crc32(data.subarray(0, 1000)));
  expect(reads).toHaveLength(1);
  const other = smallFileSource(1000, fill);
  await other.md5({ start: 0, end: 1000 });
  expect(reads[1]?.buffer).not.toBe(reads[0]?.buffer);
  small.release?.();
  await smallFileSource(2000, fill).md5({ start: 0, end: 2000 });
  expect(reads[2]?.buffer).toBe(reads[0]?.buffer);
});

test("a small file that became shorter is EIO", async () => {
  const shorter = smallFileSource(1000, () => Promise.resolve(999));
  await expect(shorter.md5({ start: 0, end: 1000 })).rejects.toMatchObject({ code: "EIO" });
});
