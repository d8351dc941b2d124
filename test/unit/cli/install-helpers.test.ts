// install-helpers and config: commands that mount nothing.
import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { CommandContext } from "../../../src/cli/command-context.ts";
import { runCli } from "../../../src/cli/main.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;

async function cli(directory: string, argv: readonly string[], variables = {}) {
  const out = { stdout: "", stderr: "" };
  const context: CommandContext = {
    environment: { variables, uid: 0, gid: 0, directory, homeDirectory: directory },
    version: "1",
    runtimeDirectories: [join(directory, "run")],
    self: [process.execPath],
    isTerminal: false,
    stdout: (text) => void (out.stdout += text),
    stderr: (text) => void (out.stderr += text),
    interruptible: () => new AbortController().signal,
  };
  const code = await runCli(argv, context);
  return { code, ...out };
}

describe("install-helpers", () => {
  const paths = ["sbin/mount.pailfs", "sbin/mount.fuse.pailfs", "sbin/umount.fuse.pailfs"];

  test("writes wrappers that need no PATH, twice the same, and takes them away again", async () => {
    const prefix = await temporaryDirectory();
    for (const round of [1, 2]) {
      const { code, stdout } = await cli(prefix, ["install-helpers", "--prefix", "."]);
      expect([round, code, stdout.split("\n").length]).toEqual([round, 0, 5]);
    }
    for (const path of paths) {
      expect((await stat(join(prefix, path))).mode & 0o777).toBe(0o755);
      expect(await readFile(join(prefix, path), "utf8")).toContain(
        `'${process.execPath}' '${top}bin/`,
      );
    }
    // -f: found, started, and nothing done
    const fake = ["bucket", "/mnt", "-f", "-o", "rw"];
    await run(join(prefix, "sbin/mount.pailfs"), fake, { env: {} });
    await cli(prefix, ["install-helpers", "--prefix", prefix, "--systemd", "--goofys", "--docker"]);
    const plugin = join(prefix, "usr/local/bin/docker-volume-pailfs");
    const { stdout: version } = await run(plugin, ["--version"], { env: {} });
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { stdout } = await cli(prefix, ["uninstall-helpers", "--prefix", prefix]);
    expect(stdout.split("\n")).toHaveLength(10);
    await expect(stat(join(prefix, "sbin/mount.pailfs"))).rejects.toThrow("ENOENT");
    await expect(stat(join(prefix, "usr/local/bin/goofys"))).rejects.toThrow("ENOENT");
  }, 30_000);

  test("leaves files of others alone, and npm's link to pailfs", async () => {
    const prefix = await temporaryDirectory();
    await mkdir(join(prefix, "usr/local/bin"), { recursive: true });
    await symlink(join(top, "bin/pailfs.js"), join(prefix, "usr/local/bin/pailfs"));
    expect(await cli(prefix, ["install-helpers", "--prefix", prefix])).toMatchObject({ code: 0 });
    await writeFile(join(prefix, "sbin/mount.pailfs"), "#!/bin/sh\n# somebody's own\n");
    expect(await cli(prefix, ["install-helpers", "--prefix", prefix])).toEqual({
      code: 78,
      stdout: "",
      stderr: `pailfs: Cannot write ${prefix}/sbin/mount.pailfs: a file that is not from pailfs is there; move it away first\n`,
    });
    await cli(prefix, ["uninstall-helpers", "--prefix", prefix]);
    expect(await readFile(join(prefix, "sbin/mount.pailfs"), "utf8")).toContain("somebody's own");
    expect((await stat(join(prefix, "usr/local/bin/pailfs"))).isFile()).toBe(true);
  });
});

describe("config", () => {
  test("prints what holds and who says so, and no secret", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "media.yaml");
    await writeFile(file, "source: media:a/\nmountpoint: /srv/m\nuid: 5\ngid: 5\ncache_size: 2G\n");
    const { code, stdout } = await cli(
      directory,
      ["config", "--config", "media.yaml", "--uid", "7", "-o", "allow_other", "--json"],
      {
        PAILFS_GID: "6",
        AWS_ACCESS_KEY_ID: "AKIAVERYSECRET",
        AWS_SECRET_ACCESS_KEY: "more secret",
        PAILFS_SSE_CUSTOMER_KEY: "0123456789abcdef-more secret-abc",
      },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      source: { value: "media:a/", origin: file },
      mountpoint: { value: "/srv/m", origin: file },
      uid: { value: "7", origin: "--uid" },
      gid: { value: "6", origin: "PAILFS_GID" },
      allow_other: { value: "yes", origin: "-o allow_other" },
      cache_size: { value: "2G", origin: file },
      cache_dir: { value: "/var/cache/pailfs", origin: "default" },
      sse_customer_key: { value: "…", origin: "PAILFS_SSE_CUSTOMER_KEY" },
      keys: { value: "AKIA… and a secret", origin: "environment" },
    });
    expect(stdout).not.toMatch(/VERYSECRET|more secret/);
  });

  test("is a table without --json, and an error where mounting would be one", async () => {
    const directory = await temporaryDirectory();
    const { stdout } = await cli(directory, ["config", "media", "/srv/m", "--uid=7"]);
    expect(stdout).toMatch(/^source +media +command line$/m);
    expect(stdout).toMatch(/^uid +7 +--uid$/m);
    expect(await cli(directory, ["config", "--config", "none.yaml"])).toMatchObject({ code: 78 });
    await writeFile(join(directory, "bad.yaml"), "cahce_dir: /x\n");
    expect(await cli(directory, ["config", "--config", "bad.yaml"])).toEqual({
      code: 78,
      stdout: "",
      stderr: `pailfs: Unknown option cahce_dir in ${directory}/bad.yaml: did you mean cache_dir?\n`,
    });
  });
});

describe("credentials_file", () => {
  test.each([
    [0o600, false],
    [0o640, false],
    [0o644, true],
    [0o700, true],
  ])("of root with mode %i is refused: %s", async (mode, isRefused) => {
    const directory = await temporaryDirectory();
    const keys = join(directory, "keys");
    await writeFile(keys, "KEY:SECRET\n");
    await chmod(keys, mode);
    await mkdir(join(directory, "mnt"));
    const places = ["--cache-dir", join(directory, "c"), "--state-dir", join(directory, "s")];
    const argv = ["mount", "media", "mnt", "--credentials-file", keys, ...places];
    // past the check there is no daemon to start, which is another failure
    const ended = await cli(directory, argv);
    if (isRefused)
      expect(ended).toMatchObject({ code: 77, stderr: expect.stringContaining("600") });
    else expect(ended.stderr).not.toContain("others may read it");
  });
});
