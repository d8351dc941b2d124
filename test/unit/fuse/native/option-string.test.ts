import { expect, test } from "vitest";
import { optionString } from "../../../../src/fuse/native/option-string.ts";

const plain = {
  source: "bucket",
  readOnly: false,
  allowOther: false,
  nonempty: false,
  mountWords: [],
};

test("writes are large and permissions the kernel's", () => {
  const words = optionString(plain).slice(2).split(",");
  expect(words).toEqual(expect.arrayContaining(["big_writes", "default_permissions", "use_ino"]));
  expect(words).not.toContain("allow_other");
});

test("a source with commas and backslashes stays one word", () => {
  const text = optionString({ ...plain, source: String.raw`s3://b/a,ro\b` });
  expect(text).toContain(String.raw`fsname=s3://b/a\,ro\\b,`);
});

test("what was asked for is told to libfuse", () => {
  const text = optionString({
    ...plain,
    readOnly: true,
    allowOther: true,
    mountWords: ["noatime"],
  });
  expect(text).toMatch(/,allow_other,ro,noatime$/);
});

test.each([
  [{ ...plain, mountWords: ["lazytime"] }, "the option lazytime: libfuse 2 does not know it"],
  [{ ...plain, source: "x".repeat(1000) }, "longer than 1023 bytes; use fuse=kernel"],
])("what libfuse would fail at after mounting is refused before", (options, text) => {
  expect(() => optionString(options)).toThrow(text);
});
