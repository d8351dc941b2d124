import { expect, test } from "vitest";
import { cutOf, includes, includesAll, overlaps } from "../../../src/fs/listing/key-range.ts";

test.each([
  [{}, "a", true],
  [{ after: "a" }, "a", false],
  [{ after: "a" }, "a-", true],
  [{ after: "a/x" }, "a-b", false],
  [{ end: "a/x" }, "a-b", true],
  [{ end: "a" }, "a", true],
  [{ end: "a" }, "a/", false],
  // UTF-16 has these the other way round
  [{ after: "\u{ffff}" }, "\u{10000}", true],
])("includes(%j, %j) is %s", (range, key, expected) => {
  expect(includes(range, key)).toBe(expected);
});

test.each([
  [{}, true, true],
  [{ after: "a-b" }, true, true],
  [{ after: "a/" }, true, false],
  [{ after: "a/x" }, true, false],
  [{ after: "a0" }, false, false],
  [{ end: "a/x" }, true, false],
  [{ end: "a0" }, true, true],
  [{ end: "a-b" }, false, false],
  [{ after: "a", end: "b" }, true, true],
])("the range %j and the directory a/: overlaps %s, includes all %s", (range, some, all) => {
  expect(overlaps(range, "a/")).toBe(some);
  expect(includesAll(range, "a/")).toBe(all);
});

function cutAt(first: string, last: string, end?: string): string | undefined {
  return cutOf({ pages: 1, origin: first, first, last, ...(end === undefined ? {} : { end }) })?.at;
}

test.each([
  // a directory that fills a page ends the range
  ["local/AA/x", "local/AC/y", undefined, "local0"],
  ["remote/matrix.org/AA/x", "remote/matrix.org/AB/x", "remote0", "remote/matrix.org0"],
  // else its names are halved
  ["local/AA/x", "local/AC/y", "local0", "local/a"],
  ["local/AA/x", "local/AC/y", "local/a", "local/N"],
  ["AA", "AC", undefined, "N"],
  ["Aa", "Az", undefined, "a"],
  ["x/2024-01-01", "x/2024-01-09", "x0", "x/6"],
  // no letter between: past the directory, where that is before the end
  ["a/1", "zz/2", undefined, "zz0"],
  ["zz/1", "zz/2", "zz/3", undefined],
])("a range whose page went from %s to %s, ending at %s, is cut at %s", (first, last, end, at) => {
  expect(cutAt(first, last, end)).toBe(at);
});

test("cutOf() never cuts half a character", () => {
  expect(cutAt("\u{1f600}", "\u{1f601}", "\u{1f6ff}")).toBeUndefined();
});

test("cutOf() tells how many pages are left", () => {
  const range = { origin: "d/A", first: "d/A", last: "d/C", end: "d/I", pages: 10 };
  expect(cutOf(range)).toMatchObject({ at: "d/F" });
  expect(cutOf(range)?.pagesLeft).toBeCloseTo(30);
});
