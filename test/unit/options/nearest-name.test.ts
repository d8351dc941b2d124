import { expect, test } from "vitest";
import { nearestName } from "../../../src/options/nearest-name.ts";

test.each([
  ["cache_dirr", "cache_dir"],
  ["chache_size", "cache_size"],
  ["uit", "uid"],
  ["xyz", undefined],
  ["something_else", undefined],
])("nearestName() of %j is %j", (wrong, expected) => {
  expect(nearestName(wrong, ["uid", "cache_dir", "cache_size", "state_dir"])).toBe(expected);
});
