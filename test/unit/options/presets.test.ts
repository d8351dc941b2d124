import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/options/config-file.ts";
import type { Environment } from "../../../src/options/environment-options.ts";
import { commandLineOption, type GivenOption } from "../../../src/options/given-option.ts";
import type { MountOptions } from "../../../src/options/mount-options.ts";
import { parseOptionList } from "../../../src/options/option-list.ts";
import { findOption } from "../../../src/options/option-table.ts";
import { parseMountOptions, resolveGiven } from "../../../src/options/parse-mount-options.ts";
import { presetNames, presetOptions } from "../../../src/options/presets.ts";

function environmentOf(variables: Record<string, string>, uid = 0): Environment {
  return { variables, uid, gid: uid, directory: "/" };
}

function parse(
  given: readonly GivenOption[],
  variables: Record<string, string> = {},
  uid = 0,
): MountOptions {
  const request = { source: "media", mountpoint: "/mnt", given };
  return parseMountOptions(request, environmentOf(variables, uid)).options;
}

const preset = commandLineOption("preset", "synapse");

test("preset=synapse gives its values to options that nobody gave", () => {
  const { fs, local, fuse } = parse([preset]);
  expect(fs).toMatchObject({
    sharing: "exclusive",
    publishDelayMs: 2000,
    deleteDelayMs: 86_400_000,
    statCacheTtlMs: 3_600_000,
    negativeTtlMs: 60_000,
    // what Synapse itself makes with a umask of 022
    fileMode: 0o644,
    dirMode: 0o755,
  });
  expect(local.names).toEqual(["url_cache", "url_cache_thumbnails"]);
  expect(fuse.allowOther).toBe(true);
});

test("each option of a preset is one of the table, and none a path", () => {
  for (const name of presetNames) {
    const given = presetOptions(name, true);
    expect(given.length).toBeGreaterThan(3);
    expect(given.filter((option) => findOption(option.name) === undefined)).toEqual([]);
    expect(given.filter(({ value }) => value?.includes("/"))).toEqual([]);
  }
});

test("only root's mounts are for other users: others would need leave by /etc/fuse.conf", () => {
  expect(parse([preset], {}, 991).fuse.allowOther).toBe(false);
});

describe("whoever gives an option wins over the preset, wherever the preset was named", () => {
  const named: [string, () => Promise<[GivenOption[], Record<string, string>]>][] = [
    ["the command line", async () => [[preset], {}]],
    ["a list", async () => [parseOptionList("preset=synapse"), {}]],
    ["the environment", async () => [[], { PAILFS_PRESET: "synapse" }]],
    ["a file", async () => [[...(await parseConfig("/c.yaml", "preset: synapse")).given], {}]],
  ];
  const other: [string, () => Promise<[GivenOption[], Record<string, string>]>][] = [
    ["the command line", async () => [[commandLineOption("publish-delay", "7s")], {}]],
    ["a list", async () => [parseOptionList("publish_delay=7s"), {}]],
    ["the environment", async () => [[], { PAILFS_PUBLISH_DELAY: "7s" }]],
    ["a file", async () => [[...(await parseConfig("/c.yaml", "publish_delay: 7s")).given], {}]],
  ];
  const pairs = named.flatMap(([where, name]) =>
    other.map(([place, give]) => [where, place, name, give] as const),
  );
  test.each(pairs)("preset by %s, option by %s", async (_where, _place, name, give) => {
    const [preset, variables] = await name();
    const [given, more] = await give();
    const options = parse([...given, ...preset], { ...variables, ...more });
    expect(options.fs).toMatchObject({ publishDelayMs: 7000, sharing: "exclusive" });
  });
});

test("a stronger preset=none takes a preset back, local_prefix=none a part of it", () => {
  const inFile = { PAILFS_PRESET: "synapse" };
  expect(parse([commandLineOption("preset", "none")], inFile).fs.sharing).toBe("shared");
  const part = parse([commandLineOption("local-prefix", "none")], inFile);
  expect(part.local.names).toEqual([]);
  expect(part.fs.sharing).toBe("exclusive");
});

test("what a preset gave says so", () => {
  const { given } = resolveGiven([preset], environmentOf({}));
  expect(given.get("sharing")?.spelling).toBe("preset synapse");
  expect(given.get("preset")?.spelling).toBe("--preset");
});

test("a preset that nobody knows is refused with those that are known", () => {
  expect(() => parse([commandLineOption("preset", "dendrite")])).toThrow(
    "Cannot use --preset=dendrite: want none or synapse",
  );
});

describe("local_prefix", () => {
  const names = (value: string): readonly string[] =>
    parse([commandLineOption("local-prefix", value)]).local.names;

  test("is a list of names", () => {
    expect(names("a,b")).toEqual(["a", "b"]);
    expect(names("/a/, b,a")).toEqual(["a", "b"]);
    expect(names("none")).toEqual([]);
    expect(parse(parseOptionList('local_prefix="a,b",ro')).local.names).toEqual(["a", "b"]);
  });

  test.each(["a/b", "", ".", "..", "a,,b", "a\nb", "x".repeat(256)])("%j is refused", (value) => {
    expect(() => names(value)).toThrow("want names of directories at the root of the mount");
  });
});
