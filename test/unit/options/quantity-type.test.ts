import { describe, expect, test } from "vitest";
import {
  durationType,
  formatDuration,
  formatSize,
  minFreeType,
  parseDuration,
  parseSize,
  sizeType,
} from "../../../src/options/quantity-type.ts";

describe("parseSize()", () => {
  test.each([
    ["0", 0],
    ["1500", 1500],
    ["512M", 512 * 2 ** 20],
    ["512m", 512 * 2 ** 20],
    ["2GiB", 2 * 2 ** 30],
    ["2 GiB", 2 * 2 ** 30],
    ["1.5G", 1.5 * 2 ** 30],
    ["10KB", 10_000],
    ["1T", 2 ** 40],
    ["7b", 7],
  ])("reads %j", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(["", "M", "12Q", "-1", "1e3", "0x10", "1,5G", "5%", "9999999T", "1 2"])(
    "refuses %j",
    (text) => expect(parseSize(text)).toBeUndefined(),
  );
});

describe("parseDuration()", () => {
  test.each([
    ["0", 0],
    ["30", 30_000],
    ["0.5", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["60m0s", 3_600_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["1m250ms", 60_250],
    ["2d", 172_800_000],
  ])("reads %j", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(["", "s", "-1s", "5 minutes", "1w", "m5", "5m-3s"])("refuses %j", (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  );
});

test.each([
  [64 * 2 ** 20, "64M"],
  [10 * 2 ** 30, "10G"],
  [1500, "1500"],
  [0, "0"],
])("formatSize() writes %d bytes as %j", (bytes, text) => expect(formatSize(bytes)).toBe(text));

test.each([
  [0, "0"],
  [90_000, "90s"],
  [3_600_000, "1h"],
  [250, "250ms"],
])("formatDuration() writes %d ms as %j", (ms, text) => expect(formatDuration(ms)).toBe(text));

test("sizeType() and durationType() name the range a value is outside of", () => {
  expect(() => sizeType({ min: 1024, max: 2 ** 20 }).parse("1G", "/")).toThrow(
    "want a size from 1K to 1M",
  );
  expect(() => durationType({ min: 1000, max: 60_000 }).parse("10m", "/")).toThrow(
    "want a time from 1s to 1m",
  );
});

test("minFreeType takes a size or a share of the disk", () => {
  expect(minFreeType.parse("5%", "/")).toEqual({ fraction: 0.05 });
  expect(minFreeType.parse("2G", "/")).toEqual({ bytes: 2 * 2 ** 30 });
  expect(() => minFreeType.parse("100%", "/")).toThrow("share of the disk below 100");
});
