import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandLineOption } from "../../../src/options/given-option.ts";
import { parseConfig, readConfigFile } from "../../../src/options/config-file.ts";
import { parseMountOptions } from "../../../src/options/parse-mount-options.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

const environment = { variables: {}, uid: 0, gid: 0, directory: "/" };
const path = "/etc/pailfs/media.yaml";

async function parse(text: string, variables = {}, ...line: [string, string][]) {
  const { given, source } = await parseConfig(path, text);
  const options = line.map(([name, value]) => commandLineOption(name, value));
  return parseMountOptions(
    { source: source ?? "media", mountpoint: "/m", given: [...given, ...options] },
    { ...environment, variables },
  ).options;
}

test("parseConfig() reads the names of the option table, as they are written", async () => {
  const text = [
    "# what and where",
    "source: media:synapse/",
    "mountpoint: /srv/media",
    "file-mode: 0640",
    "allow_other: true",
    "cache_size: 2GiB",
    "uid: 991",
    "cache_dir: cache",
    'region: "eu"',
  ].join("\n");
  const file = await parseConfig(path, text);
  expect(file).toMatchObject({ source: "media:synapse/", mountpoint: "/srv/media" });
  const options = await parse(text);
  expect(options.fs).toMatchObject({ fileMode: 0o640, uid: 991 });
  expect(options.fuse.allowOther).toBe(true);
  expect(options.s3.region).toBe("eu");
  expect(options.cache.limitBytes).toBe(2 * 2 ** 30);
  expect(options.cache.directory).toMatch(/^\/etc\/pailfs\/cache\/media-/);
});

test("an empty file is no option", async () => {
  expect(await parseConfig(path, "# nothing yet\n")).toEqual({
    source: undefined,
    mountpoint: undefined,
    given: [],
  });
});

test("the command line wins over the environment, and that over the file", async () => {
  const text = "uid: 1\ngid: 1\nregion: file";
  const options = await parse(text, { PAILFS_UID: "2", PAILFS_GID: "2" }, ["uid", "3"]);
  expect(options.fs).toMatchObject({ uid: 3, gid: 2 });
  expect(options.s3.region).toBe("file");
});

describe("what cannot be used is a matter of the configuration, told in one line", () => {
  test.each([
    ["cahce_dir: /x", `Unknown option cahce_dir in ${path}: did you mean cache_dir?`],
    ["cache_size: 12Q", `Cannot use cache_size in ${path}=12Q: want a size such as 512M or 2GiB`],
    ["cache_size:", `Cannot use cache_size in ${path}: want one value, as in cache_size: VALUE`],
    ["uid: [1, 2]", `Cannot use uid in ${path}: want one value`],
    ["uid: 1\nuid: 2", `Cannot read config=${path}: Map keys must be unique at line 2`],
    ["uid: 'x", `Cannot read config=${path}: Missing closing 'quote at line 1`],
    ["- uid", `Cannot read config=${path}: want lines such as cache_size: 10G`],
    ["config: other.yaml", `Cannot use config in ${path}: files do not nest`],
    ["secret_access_key: x", "put KEY:SECRET into a file of mode 0600"],
  ])("%j", async (text, message) => {
    const outcome = parse(text);
    await expect(outcome).rejects.toMatchObject({ kind: "configuration" });
    await expect(outcome).rejects.toThrow(message);
    await expect(outcome).rejects.not.toThrow("\n");
  });
});

test("readConfigFile() names the file it cannot read", async () => {
  const directory = await temporaryDirectory();
  const missing = join(directory, "missing.yaml");
  await expect(readConfigFile(missing)).rejects.toThrow(`Cannot read config=${missing}: ENOENT`);
  await writeFile(missing, "uid: 4\n");
  expect((await readConfigFile(missing)).given).toMatchObject([{ name: "uid", value: "4" }]);
});
