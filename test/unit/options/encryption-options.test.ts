import { describe, expect, test } from "vitest";
import type { Environment } from "../../../src/options/environment-options.ts";
import { commandLineOption, type GivenOption } from "../../../src/options/given-option.ts";
import { type ParsedMount, parseMountOptions } from "../../../src/options/parse-mount-options.ts";

const environment: Environment = { variables: {}, uid: 991, gid: 992, directory: "/work" };

function parse(
  given: readonly GivenOption[] = [],
  variables: Record<string, string> = {},
): ParsedMount {
  return parseMountOptions(
    { source: "media", mountpoint: "mnt", given },
    { ...environment, variables },
  );
}

const line = (...pairs: [string, string?][]): GivenOption[] =>
  pairs.map(([name, value]) => commandLineOption(name, value));

describe("a key for SSE-C", () => {
  const key = Buffer.from("0123456789abcdef0123456789abcdef").toString("base64");

  test("comes from the environment as 32 bytes or as base64, to services of this host over http too", () => {
    for (const text of ["0123456789abcdef0123456789abcdef", key]) {
      for (const endpoint of ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"]) {
        const { s3 } = parse(line(["endpoint", endpoint]), {
          PAILFS_SSE_CUSTOMER_KEY: text,
        }).options;
        expect(s3.customerKey).toEqual({ key });
      }
    }
  });

  test("comes from a file, or from one place only", () => {
    const file = line(["sse-customer-key-file", "k"]);
    expect(parse(file).options.s3.customerKey).toEqual({ file: "/work/k" });
    expect(() => parse(file, { PAILFS_SSE_CUSTOMER_KEY: key })).toThrow(
      "Cannot use sse_customer_key with sse_customer_key_file=/work/k: leave one of them out",
    );
  });

  test("is not told when it is wrong", () => {
    expect(() => parse([], { PAILFS_SSE_CUSTOMER_KEY: "a secret" })).toThrow(
      "Cannot use PAILFS_SSE_CUSTOMER_KEY=…: want 32 bytes, or base64 of 32 bytes",
    );
  });
});

test("a storage class that charges 128 KiB for each object is for larger ones, unless asked for", () => {
  const size = (...given: [string, string][]): number =>
    parse(line(...given)).options.s3.storageClassMinBytes;
  expect(size(["storage-class", "STANDARD_IA"])).toBe(131_072);
  expect(size(["storage-class", "ONEZONE_IA"])).toBe(131_072);
  expect(size(["storage-class", "INTELLIGENT_TIERING"])).toBe(0);
  expect(size(["storage-class", "STANDARD_IA"], ["storage-class-min-size", "0"])).toBe(0);
  expect(size(["storage-class", "X"], ["storage-class-min-size", "1M"])).toBe(2 ** 20);
});
