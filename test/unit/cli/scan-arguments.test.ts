import { expect, test } from "vitest";
import { scanArguments } from "../../../src/cli/scan-arguments.ts";

test.each<[string, string[], (string | undefined)[][]]>([
  ["-f bucket /mnt", ["bucket", "/mnt"], [["f", undefined]]],
  ["bucket /mnt --cache-dir /c", ["bucket", "/mnt"], [["cache-dir", "/c"]]],
  ["--cache_dir=/c=d bucket /mnt", ["bucket", "/mnt"], [["cache_dir", "/c=d"]]],
  ["--allow-other bucket /mnt", ["bucket", "/mnt"], [["allow-other", undefined]]],
  ["--allow-other=no bucket", ["bucket"], [["allow-other", "no"]]],
  ["--no-allow-other bucket", ["bucket"], [["no-allow-other", undefined]]],
  ["--sse bucket /mnt", ["bucket", "/mnt"], [["sse", undefined]]],
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
