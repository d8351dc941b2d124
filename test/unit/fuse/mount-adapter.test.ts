import { expect, test } from "vitest";
import { adaptersFor } from "../../../src/fuse/mount-adapter.ts";

const root = { isRoot: true, hasSystemCalls: true, isInherited: false };

test("auto is the kernel adapter, and fuse-native for users without koffi", () => {
  expect(adaptersFor("auto", root)).toEqual(["kernel"]);
  expect(adaptersFor("auto", { ...root, hasSystemCalls: false })).toEqual(["kernel"]);
  expect(adaptersFor("auto", { ...root, isRoot: false })).toEqual(["kernel"]);
  const bare = { isRoot: false, hasSystemCalls: false, isInherited: false };
  expect(adaptersFor("auto", bare)).toEqual(["kernel", "native"]);
  expect(adaptersFor("auto", { ...bare, isInherited: true })).toEqual(["kernel"]);
});

test("an adapter that was asked for is the only one", () => {
  const bare = { isRoot: false, hasSystemCalls: false, isInherited: false };
  expect(adaptersFor("native", root)).toEqual(["native"]);
  expect(adaptersFor("kernel", bare)).toEqual(["kernel"]);
});
