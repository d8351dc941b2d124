import { describe, expect, test } from "vitest";
import {
  autoBooleanType,
  booleanType,
  choiceType,
  endpointType,
  integerType,
  modeType,
  pathType,
  textType,
} from "../../../src/options/option-type.ts";

describe("booleanType", () => {
  test.each(["true", "yes", "on", "1", "YES"])("takes %j as yes", (text) =>
    expect(booleanType.parse(text, "/")).toBe(true),
  );
  test.each(["false", "no", "off", "0", "No"])("takes %j as no", (text) =>
    expect(booleanType.parse(text, "/")).toBe(false),
  );
  test.each(["", "2", "ja"])("refuses %j", (text) =>
    expect(() => booleanType.parse(text, "/")).toThrow("want yes or no"),
  );
});

test("autoBooleanType takes auto beside yes and no", () => {
  expect(autoBooleanType.parse("auto", "/")).toBe("auto");
  expect(autoBooleanType.parse("off", "/")).toBe(false);
  expect(() => autoBooleanType.parse("x", "/")).toThrow("want auto, yes or no");
});

describe("modeType", () => {
  test.each([
    ["0644", 0o644],
    ["755", 0o755],
    ["0o700", 0o700],
    ["0", 0],
    ["4755", 0o4755],
  ])("reads %j in octal", (text, mode) => expect(modeType.parse(text, "/")).toBe(mode));
  test.each(["", "888", "rwx", "77777", "-1", "0x1ff"])("refuses %j", (text) =>
    expect(() => modeType.parse(text, "/")).toThrow("octal"),
  );
});

describe("endpointType", () => {
  test.each([
    ["http://127.0.0.1:9000", "http://127.0.0.1:9000"],
    ["https://s3.example.org/", "https://s3.example.org"],
  ])("takes %j", (text, origin) => expect(endpointType.parse(text, "/")).toBe(origin));
  test.each([
    ["minio:9000", "want a URL such as"],
    ["ftp://x", "want a URL such as"],
    ["https://key:secret@host", "without a user name"],
    ["https://host/bucket", "without a path"],
  ])("refuses %j", (text, message) => expect(() => endpointType.parse(text, "/")).toThrow(message));
});

test("integerType() takes whole decimal numbers of its range", () => {
  const type = integerType({ min: 1, max: 16 });
  expect(type.parse("16", "/")).toBe(16);
  for (const text of ["0", "17", "1.5", "x", "", "-1", "0x4"]) {
    expect(() => type.parse(text, "/")).toThrow("want a whole number from 1 to 16");
  }
});

test("choiceType() lists its words", () => {
  const type = choiceType(["disk", "s3", "both"]);
  expect(type.parse("S3", "/")).toBe("s3");
  expect(() => type.parse("tape", "/")).toThrow("want disk, s3 or both");
});

test("pathType makes paths absolute", () => {
  expect(pathType.parse("a/../b", "/home/x")).toBe("/home/x/b");
  expect(pathType.parse("/var//cache/", "/home/x")).toBe("/var/cache");
});

test("textType refuses nothing and line breaks", () => {
  expect(() => textType.parse("", "/")).toThrow("not empty");
  expect(() => textType.parse("a\nb", "/")).toThrow("line breaks");
});
