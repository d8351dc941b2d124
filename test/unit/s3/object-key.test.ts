import { describe, expect, test } from "vitest";
import { encodeKey } from "../../../src/s3/endpoint.ts";
import {
  directoryKeyOfPath,
  isDirectoryMarker,
  keyOfPath,
  pathOfKey,
} from "../../../src/s3/object-key.ts";
import { oddKeys } from "../../s3/odd-keys.ts";

describe("keyOfPath() and pathOfKey()", () => {
  const prefixes = ["", "media/", "raw-prefix", "a//b"];
  test.each(prefixes.flatMap((prefix) => oddKeys.map((key) => [prefix, key] as const)))(
    "prefix %j takes %j there and back",
    (prefix, relative) => {
      const key = keyOfPath(prefix, `/${relative}`);
      expect(key).toBe(prefix + relative);
      expect(pathOfKey(prefix, key)).toBe(`/${relative}`);
    },
  );

  test("the root is the prefix", () => {
    expect(keyOfPath("media/", "/")).toBe("media/");
    expect(directoryKeyOfPath("media/", "/")).toBe("media/");
    expect(pathOfKey("media/", "media/")).toBe("/");
  });

  test("a marker stands for its directory", () => {
    expect(directoryKeyOfPath("p/", "/a/b")).toBe("p/a/b/");
    expect(pathOfKey("p/", "p/a/b/")).toBe("/a/b");
    expect(isDirectoryMarker("p/a/b/")).toBe(true);
    expect(isDirectoryMarker("p/a/b")).toBe(false);
  });

  test.each([
    "a//b",
    "/a",
    "./a",
    "a/.",
    "a/../b",
    "..",
    "a//",
    "/",
    "a\0b",
    "\ud800",
    `a/${"é".repeat(128)}`,
  ])("%j is no path", (relative) => {
    expect(pathOfKey("p/", `p/${relative}`)).toBeUndefined();
  });

  test("a key outside the prefix is no path", () => {
    expect(pathOfKey("p/", "q/a")).toBeUndefined();
    expect(pathOfKey("p/", "p")).toBeUndefined();
  });

  test("names of 255 bytes are paths", () => {
    const name = "é".repeat(127);
    expect(pathOfKey("", `${name}x`)).toBe(`/${name}x`);
  });

  test("keys over 1024 bytes and half characters are rejected", () => {
    const long = `/${"d/".repeat(512)}f`;
    expect(() => keyOfPath("", long)).toThrow(expect.objectContaining({ code: "ENAMETOOLONG" }));
    expect(keyOfPath("", `/${"d/".repeat(511)}f1`)).toHaveLength(1024);
    expect(() => keyOfPath("", "/\ud800")).toThrow(expect.objectContaining({ code: "EILSEQ" }));
  });
});

describe("encodeKey()", () => {
  test.each([
    ["a b", "a%20b"],
    ["a+b", "a%2Bb"],
    ["100%", "100%25"],
    ["a/b:c", "a/b%3Ac"],
    ["[::1]", "%5B%3A%3A1%5D"],
    ["!'()*", "%21%27%28%29%2A"],
    ["-_.~", "-_.~"],
    ["ü", "%C3%BC"],
    ["😀", "%F0%9F%98%80"],
    ["?&=#", "%3F%26%3D%23"],
  ])("%s is %s", (key, encoded) => {
    expect(encodeKey(key)).toBe(encoded);
  });
});
