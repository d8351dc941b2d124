import { expect, test } from "vitest";
import { optionNames, optionOf } from "../../../src/options/option-table.ts";
import { resolveOptions } from "../../../src/options/resolve-options.ts";
import { scanArguments } from "../../../src/cli/scan-arguments.ts";

test.each<[string, string[], (string | undefined)[][]]>([
  ["-f bucket /mnt", ["bucket", "/mnt"], [["f", undefined]]],
  ["bucket /mnt --cache-dir /c", ["bucket", "/mnt"], [["cache-dir", "/c"]]],
  ["--cache_dir=/c=d bucket /mnt", ["bucket", "/mnt"], [["cache_dir", "/c=d"]]],
  ["--allow-other bucket /mnt", ["bucket", "/mnt"], [["allow-other", undefined]]],
  ["--allow-other=no bucket", ["bucket"], [["allow-other", "no"]]],
  ["--no-allow-other bucket", ["bucket"], [["no-allow-other", undefined]]],
  ["--sse bucket /mnt", ["bucket", "/mnt"], [["sse", undefined]]],
  ["--passthrough off bucket", ["bucket"], [["passthrough", "off"]]],
  ["--passthrough bucket", ["bucket"], [["passthrough", undefined]]],
  ["--path-style auto bucket", ["bucket"], [["path-style", "auto"]]],
  ["--sse aws:kms bucket", ["bucket"], [["sse", "aws:kms"]]],
  ["--read-only no bucket", ["bucket"], [["read-only", "no"]]],
  ["--allow-other off", [], [["allow-other", "off"]]],
  ["bucket --allow-other 1", ["bucket", "1"], [["allow-other", undefined]]],
  ["-region eu-1 bucket", ["bucket"], [["region", "eu-1"]]],
  ["--type-cache-ttl 60m0s bucket", ["bucket"], [["type-cache-ttl", "60m0s"]]],
  [
    "bucket /mnt -o a,uid=5 -o b",
    ["bucket", "/mnt"],
    [
      ["a", undefined],
      ["uid", "5"],
      ["b", undefined],
    ],
  ],
  [
    "-oallow_other,uid=5 bucket",
    ["bucket"],
    [
      ["allow_other", undefined],
      ["uid", "5"],
    ],
  ],
  ["-o=ro bucket", ["bucket"], [["ro", undefined]]],
  ["-o cache_dir=/c -- -bucket /mnt", ["-bucket", "/mnt"], [["cache_dir", "/c"]]],
  ["--quux bucket", ["bucket"], [["quux", undefined]]],
])("scanArguments() of %j", (line, words, given) => {
  const scanned = scanArguments(line.split(" "));
  expect(scanned.words).toEqual(words);
  expect(scanned.given.map(({ name, value }) => [name, value])).toEqual(given);
});

test("the line of matrix-docker-ansible-deploy", () => {
  const { words, given } = scanArguments(
    "-f --storage-class=STANDARD_IA --region eu-1 --stat-cache-ttl 60m0s --type-cache-ttl 60m0s --dir-mode 0700 --file-mode 0700 media /s3".split(
      " ",
    ),
  );
  expect(words).toEqual(["media", "/s3"]);
  expect(given).toHaveLength(7);
});

test.each(
  optionNames.flatMap((name) => {
    const { placeholder } = optionOf(name).type;
    const words = placeholder.replace("BOOL", "yes|no|on|off|true|false").split("|");
    const isEnumerated = /^[a-z]/.test(words[0] ?? "") || words[0] === "AES256";
    const literal = words.filter((word) => !/^[A-Z]+(:[A-Z]+)?$/.test(word));
    return isEnumerated ? literal.map((word) => [name, word] as const) : [];
  }),
)("--%s takes %s with an equals sign and after a space", (name, word) => {
  const spelling = `--${name.replaceAll("_", "-")}`;
  const apart = scanArguments(["bucket", spelling, word, "/mnt"]);
  expect(apart).toEqual(scanArguments(["bucket", `${spelling}=${word}`, "/mnt"]));
  expect(apart.words).toEqual(["bucket", "/mnt"]);
  expect(resolveOptions(apart.given, { directory: "/" }).given.get(name)?.value).toBe(word);
});
