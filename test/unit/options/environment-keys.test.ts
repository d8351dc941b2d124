import { describe, expect, test } from "vitest";
import { commandLineOption, type GivenOption } from "../../../src/options/given-option.ts";
import { type ParsedMount, parseMountOptions } from "../../../src/options/parse-mount-options.ts";

function parse(given: readonly GivenOption[], variables: Record<string, string>): ParsedMount {
  const environment = { variables, uid: 991, gid: 992, directory: "/work" };
  return parseMountOptions({ source: "media", mountpoint: "mnt", given }, environment);
}

const line = (name: string, value: string): GivenOption[] => [commandLineOption(name, value)];

describe("keys of the environment", () => {
  const keys = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };

  test("come with their session token", () => {
    const { credentials } = parse([], { ...keys, AWS_SESSION_TOKEN: "t" }).options.s3;
    expect(credentials.environmentKeys?.sessionToken).toBe("t");
  });

  test("yield to a profile or file that was asked for, not to AWS_PROFILE", () => {
    const used = (given: GivenOption[], variables: Record<string, string>): boolean =>
      parse(given, variables).options.s3.credentials.environmentKeys !== undefined;
    expect(used([], { ...keys, AWS_PROFILE: "p" })).toBe(true);
    expect(used(line("profile", "p"), keys)).toBe(false);
    expect(used(line("credentials-file", "/k"), keys)).toBe(false);
  });

  test("half a pair is refused as a matter of credentials", () => {
    expect(() => parse([], { AWS_ACCESS_KEY_ID: "id" })).toThrow(
      expect.objectContaining({
        kind: "credentials",
        message: "Cannot use half a key pair: set AWS_SECRET_ACCESS_KEY in the environment too",
      }),
    );
  });
});
