import { expect, test } from "vitest";
import { type InitOffer, negotiate } from "../../../../src/fuse/kernel/init.ts";

const wishes = { maxReadahead: 4 << 20, passthrough: true };
const offer: InitOffer = {
  major: 7,
  minor: 45,
  maxReadahead: 131072,
  flags: 0x73fffffb,
  flags2: 0x5fd,
};

/** Bits that are set. */
function bits(flags: number): readonly number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((flags >>> bit) & 1) === 1);
}

test("negotiate() asks a current kernel for what the adapter uses, and nothing else", () => {
  const reply = negotiate(offer, wishes);
  expect(bits(reply?.flags ?? 0)).toEqual([0, 3, 5, 12, 13, 14, 15, 18, 21, 22, 23, 28, 30]);
  expect(bits(reply?.flags2 ?? 0)).toEqual([5]);
  expect(reply).toMatchObject({ major: 7, minor: 45, maxStackDepth: 1, maxReadahead: 4 << 20 });
});

test("negotiate() asks for nothing that was not offered", () => {
  const reply = negotiate({ ...offer, flags: 1 << 5, minor: 31 }, wishes);
  expect(reply).toMatchObject({ minor: 31, flags: 1 << 5, flags2: 0, maxStackDepth: 0 });
});

test("negotiate() leaves passthrough out when it is not wanted", () => {
  expect(negotiate(offer, { ...wishes, passthrough: false })).toMatchObject({ flags2: 0 });
});

test.each([
  [7, 30, undefined],
  [6, 45, undefined],
  [7, 31, 31],
  [7, 38, 38],
  [7, 60, 45],
  [8, 0, 45],
])("negotiate() answers %d.%d with 7.%s", (major, minor, expected) => {
  expect(negotiate({ ...offer, major, minor }, wishes)?.minor).toBe(expected);
});
