// The codec of x-amz-meta-*: what we write reads back, what others wrote is understood, nonsense is told from sense.
import { expect, test } from "vitest";
import {
  attributesIn,
  fitsMetadata,
  formatTime,
  metadataOf,
  parseTime,
} from "../../../src/fs/metadata/posix-metadata.ts";
import { formatXattrs, parseXattrs } from "../../../src/fs/metadata/xattr-metadata.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { Random } from "../../support/random.ts";

const SECOND = 1_000_000_000n;
const types = [FileType.file, FileType.symlink, FileType.fifo, FileType.characterDevice];

function randomText(random: Random, length: number): string {
  const codes = Array.from({ length }, () => random.pick([65, 34, 37, 92, 0xe9, 0x1f600, 0xd800]));
  return String.fromCodePoint(...codes);
}

function randomTime(random: Random): bigint {
  const seconds = BigInt(random.integer(2 ** 33)) - 2n ** 31n;
  return seconds * SECOND + BigInt(random.pick([0, 1, 500_000_000, 999_999_999]));
}

test("what is written reads back, whatever the attributes", () => {
  const random = new Random(7);
  for (let i = 0; i < 2000; i += 1) {
    const names = Array.from({ length: random.integer(4) }, () => `user.${randomText(random, 3)}`);
    const values = names.map((name) => [name, Buffer.from(randomText(random, 9))] as const);
    const entry = {
      mode: random.pick(types) | random.integer(0o10000),
      uid: random.integer(2 ** 32 - 1),
      gid: random.integer(2 ** 32 - 1),
      rdev: random.chance(50) ? 0 : random.integer(2 ** 32),
      mtime: randomTime(random),
      atime: randomTime(random),
      ctime: randomTime(random),
      ...(names.length > 0 ? { xattrs: Object.fromEntries(values) } : {}),
    };
    const metadata = metadataOf(entry);
    for (const value of Object.values(metadata)) expect(value).toMatch(/^[!-~]+$/);
    const { rejected, rdev = 0, ...told } = attributesIn(metadata);
    expect({ ...told, rdev }).toEqual(entry);
    expect(rejected).toEqual([]);
  }
});

test("random bytes never throw, and what they tell is in range", () => {
  const random = new Random(8);
  const names = ["mode", "uid", "gid", "rdev", "mtime", "atime", "ctime", "xattr"];
  const aws = ["permissions", "owner", "group", "mtime", "atime"].map((name) => `file-${name}`);
  const pieces = ["0", "9", "-", ".", "e", "ns", "%", '"', "{", "}", " ", "0x", "8", "\0", "é"];
  for (let i = 0; i < 20_000; i += 1) {
    const text = (): string =>
      Array.from({ length: random.integer(14) }, () => random.pick(pieces)).join("");
    const metadata = Object.fromEntries([...names, ...aws].map((name) => [name, text()]));
    const told = attributesIn(metadata);
    expect(told.mode ?? 0).toBeLessThanOrEqual(0o177777);
    for (const id of [told.uid ?? 0, told.gid ?? 0]) {
      expect(id >= 0 && id <= 2 ** 32 - 2 && Number.isInteger(id)).toBe(true);
    }
    for (const time of [told.mtime, told.atime, told.ctime]) {
      expect(BigInt.asIntN(64, time ?? 0n)).toBe(time ?? 0n);
    }
  }
});

test.each([
  ["1700000000", 1_700_000_000n * SECOND],
  ["1700000000.5", 1_700_000_000n * SECOND + 500_000_000n],
  ["1323785716.171819202", 1_323_785_716_171_819_202n],
  ["0.1234567899", 123_456_789n],
  ["-1.5", -1_500_000_000n],
  ["1e9", undefined],
  ["99999999999", undefined],
  ["", undefined],
])("the time %j is understood", (text, time) => {
  expect(parseTime(text)).toBe(time);
});

test("whole seconds are written without decimals", () => {
  expect(formatTime(5n * SECOND)).toBe("5");
  expect(formatTime(5n * SECOND + 1n)).toBe("5.000000001");
  expect(formatTime(-SECOND / 2n)).toBe("-0.500000000");
});

test("AWS's names are read where s3fs's are not there, or make no sense", () => {
  const aws = {
    "file-permissions": "0100640",
    "file-owner": "7",
    "file-group": "8",
    "file-mtime": "1700000000123456789ns",
    "file-atime": "1700000000123",
  };
  expect(attributesIn(aws)).toEqual({
    mode: FileType.file | 0o640,
    uid: 7,
    gid: 8,
    mtime: 1_700_000_000_123_456_789n,
    atime: 1_700_000_000_123_000_000n,
    rejected: [],
  });
  const told = attributesIn({ ...aws, uid: "5", gid: "-5", mode: "33188" });
  expect(told).toMatchObject({ mode: FileType.file | 0o644, uid: 5, gid: 8, rejected: ["gid"] });
});

test("xattrs with names that mean something to JavaScript or the kernel are no trouble", () => {
  const text = encodeURIComponent(
    '{"user.__proto__":"YQ==","__proto__":"YQ==","security.x":"YQ=="}',
  );
  expect(Object.keys(parseXattrs(text) ?? {})).toEqual(["user.__proto__"]);
  expect(parseXattrs(encodeURIComponent('{"user.x":5}'))).toBeUndefined();
  expect(parseXattrs("%E0%A4%A")).toBeUndefined();
  expect(formatXattrs({})).toBeUndefined();
});

test("xattrs that do not fit are left out as a whole", () => {
  const base = { mode: 0, uid: 0, gid: 0, rdev: 0, mtime: 0n, atime: 0n, ctime: 0n };
  const small = { ...base, xattrs: { "user.x": Buffer.alloc(1000) } };
  const large = { ...base, xattrs: { "user.x": Buffer.alloc(1500) } };
  expect([fitsMetadata(base), fitsMetadata(small), fitsMetadata(large)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(metadataOf(large)).not.toHaveProperty("xattr");
});
