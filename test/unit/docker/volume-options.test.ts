import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveVolume } from "../../../src/docker/volume-options.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { environment } from "./fake-host.ts";

async function resolved(
  options: Record<string, string>,
  defaults?: string,
  variables: Record<string, string> = {},
) {
  const folder = await temporaryDirectory();
  const path = join(folder, "docker.yaml");
  if (defaults !== undefined) await writeFile(path, defaults);
  const wish = { name: "v", options, mountpoint: "/mnt/v" };
  return resolveVolume(wish, defaults === undefined ? undefined : path, {
    ...environment,
    variables: { ...environment.variables, ...variables },
  });
}

describe("resolveVolume()", () => {
  test("makes a command line of which every option is in the table", async () => {
    const { arguments: words } = await resolved({
      bucket: "b",
      prefix: "media/",
      "cache-size": "2G",
      uid: "991",
      ro: "",
      noatime: "",
      content_type: "text/plain, or so",
    });
    expect(words).toEqual([
      "mount",
      "--allow-other=yes",
      "--protect-mountpoint=no",
      "--cache-size=2G",
      "--uid=991",
      "--read-only=yes",
      "--content-type=text/plain, or so",
      "-o",
      "noatime",
      "--",
      "b:media/",
      "/mnt/v",
    ]);
  });

  test("-o wins over the environment, that over the file", async () => {
    const file = "endpoint: http://file\nregion: file\ncache_dir: cache\nstat_cache_ttl: 7s\n";
    const { options, arguments: words } = await resolved({ bucket: "b", region: "o" }, file, {
      PAILFS_STAT_CACHE_TTL: "9s",
    });
    expect(options.s3).toMatchObject({ endpoint: "http://file", region: "o" });
    expect(options.fs.statCacheTtlMs).toBe(9000);
    // relative to the file; the environment is the daemon's too
    expect(words.find((word) => word.startsWith("--cache-dir="))).toMatch(
      /^--cache-dir=\/.*\/cache$/,
    );
    expect(words.join(" ")).not.toContain("stat-cache-ttl");
  });

  test("the mount is told the name of a preset, not what it says", async () => {
    const volume = { bucket: "b", preset: "synapse", "publish-delay": "7s" };
    const { options, arguments: words } = await resolved(volume);
    expect(options.fs).toMatchObject({ sharing: "exclusive", publishDelayMs: 7000 });
    expect(words).toContain("--preset=synapse");
    expect(words).toContain("--publish-delay=7s");
    expect(words.filter((word) => /sharing|local-prefix|ttl/.test(word))).toEqual([]);
  });

  test.each([
    [{ source: "s3://b/x" }, undefined, "s3://b/x"],
    [{ bucket: "b" }, undefined, "b"],
    [{ bucket: "b", prefix: "" }, undefined, "b:"],
    [{}, "source: shared\n", "shared:v/"],
    [{}, "source: shared:docker/\n", "shared:docker/v/"],
    [{ prefix: "p/" }, "source: shared\n", "shared:p/"],
    [{ bucket: "own" }, "source: shared\n", "own"],
  ])("%j with defaults %j is %s", async (options, file, source) => {
    expect((await resolved(options as Record<string, string>, file)).options.source).toBe(source);
  });

  test("a file named by -o config says what is mounted", async () => {
    const folder = await temporaryDirectory();
    const path = join(folder, "media.yaml");
    await writeFile(path, "source: b:media/\nmountpoint: /srv/x\nuid: 991\n");
    const { options } = await resolved({ config: path }, "uid: 5\ngid: 5\n");
    expect(options).toMatchObject({ source: "b:media/", mountpoint: "/mnt/v" });
    expect(options.fs).toMatchObject({ uid: 991, gid: 5 });
  });

  test.each([
    [{}, "no bucket given"],
    [{ bucket: "b", source: "b" }, "leave one out"],
    [{ buckt: "b" }, "Unknown option -o buckt: did you mean -o bucket?"],
    [
      { bucket: "b", chache_size: "1G" },
      "Unknown option -o chache_size: did you mean -o cache_size?",
    ],
    [{ bucket: "b", uid: "x" }, "Cannot use -o uid=x: want a whole number"],
    [{ bucket: "b", cache_size: "" }, "Cannot use -o cache_size"],
    [{ bucket: "b", secret_access_key: "x" }, "credentials_file"],
    [{ bucket: "b", sse_customer_key: "x" }, "sse_customer_key_file"],
    [{ bucket: "b", "sse-c": "x" }, "sse_customer_key_file"],
    [{ bucket: "b", foreground: "yes" }, "the plugin mounts"],
    [{ bucket: "b", config: "media.yaml" }, "absolute path"],
    [{ bucket: "b", prefix: "/x" }, 'starts with "/"'],
  ])("refuses %j", async (options, reason) => {
    await expect(resolved(options as Record<string, string>)).rejects.toThrow(reason);
  });

  test("a default that nobody knows is told with its file", async () => {
    await expect(resolved({ bucket: "b" }, "cache_sise: 1G\n")).rejects.toThrow(
      /cache_sise in .*docker.yaml: did you mean cache_size/,
    );
  });
});
