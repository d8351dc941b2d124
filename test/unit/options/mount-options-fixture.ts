// What the tests of mount options share: a place to parse them in.
import type { Environment } from "../../../src/options/environment-options.ts";
import { commandLineOption, type GivenOption } from "../../../src/options/given-option.ts";
import { type ParsedMount, parseMountOptions } from "../../../src/options/parse-mount-options.ts";

const environment: Environment = { variables: {}, uid: 991, gid: 992, directory: "/work" };

/** A mount of `source` on mnt with what was given. */
export function parse(
  given: readonly GivenOption[] = [],
  variables: Record<string, string> = {},
  source = "media:synapse/",
): ParsedMount {
  return parseMountOptions({ source, mountpoint: "mnt", given }, { ...environment, variables });
}

/** Options as on a command line: name and value. */
export const line = (...pairs: [string, string?][]): GivenOption[] =>
  pairs.map(([name, value]) => commandLineOption(name, value));
