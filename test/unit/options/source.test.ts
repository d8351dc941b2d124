import { expect, test } from "vitest";
import { parseSource } from "../../../src/options/source.ts";

test.each([
  ["media", "media", ""],
  ["media:", "media", ""],
  ["media:synapse/", "media", "synapse/"],
  ["media:raw-prefix", "media", "raw-prefix"],
  ["media:a:b", "media", "a:b"],
  ["s3://media", "media", ""],
  ["s3://media/", "media", ""],
  ["s3://media/a/b", "media", "a/b"],
  ["My.Old_Bucket", "My.Old_Bucket", ""],
  ["goofys#media:a/", "media", "a/"],
  ["goofys#media:a", "media", "a/"],
  ["goofys#media:/a/b/", "media", "a/b/"],
  ["goofys#media:/", "media", ""],
  ["pailfs#media:a", "media", "a"],
])("parseSource() reads %j", (text, bucket, prefix) => {
  expect(parseSource(text)).toEqual({ bucket, prefix });
});

test("parseSource() takes a prefix as goofys does when called by its name", () => {
  expect(parseSource("media:a", true)).toEqual({ bucket: "media", prefix: "a/" });
  expect(parseSource("media", true)).toEqual({ bucket: "media", prefix: "" });
});

test.each([
  ["", "want BUCKET, BUCKET:PREFIX or s3://BUCKET/PREFIX"],
  [":a", "want BUCKET"],
  ["s3://", "want BUCKET"],
  ["/dev/sda1", '"/dev/sda1" is no bucket name'],
  ["-x", "is no bucket name"],
  ["b:/a", 'write "a"'],
  [`b:${"x".repeat(901)}`, "at most 900 bytes"],
])("parseSource() refuses %j", (text, message) => {
  expect(() => parseSource(text)).toThrow(message);
});
