import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkAnswer } from "../../../src/daemon/check-answer.ts";
import { checkCredentials, customerKeyIn } from "../../../src/daemon/check-credentials.ts";
import { checkDirectories } from "../../../src/daemon/check-directories.ts";
import { checkMountpoint } from "../../../src/daemon/check-mountpoint.ts";
import { commandLineOption } from "../../../src/options/given-option.ts";
import type { MountOptions } from "../../../src/options/mount-options.ts";
import { parseMountOptions } from "../../../src/options/parse-mount-options.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

function optionsOf(directory: string, given: Record<string, string> = {}): MountOptions {
  const all = { "cache-dir": "cache", "state-dir": "state", ...given };
  return parseMountOptions(
    {
      source: "media",
      mountpoint: "mnt",
      given: Object.entries(all).map(([name, value]) => commandLineOption(name, value)),
    },
    { variables: {}, uid: 0, gid: 0, directory },
  ).options;
}

describe("checkMountpoint()", () => {
  test("takes an empty directory and resolves links", async () => {
    const root = await temporaryDirectory();
    await mkdir(join(root, "real"));
    await symlink("real", join(root, "mnt"));
    expect(await checkMountpoint(optionsOf(root))).toEqual({
      mountpoint: join(root, "real"),
      staleMounts: 0,
    });
  });

  test("refuses what is missing, with the remedy", async () => {
    const root = await temporaryDirectory();
    await expect(checkMountpoint(optionsOf(root))).rejects.toMatchObject({
      kind: "configuration",
      message: `Cannot mount on "${root}/mnt": there is no such directory; make it with: mkdir -p ${root}/mnt`,
    });
  });

  test("refuses a file", async () => {
    const root = await temporaryDirectory();
    await writeFile(join(root, "mnt"), "");
    await expect(checkMountpoint(optionsOf(root))).rejects.toThrow("it is not a directory");
  });

  test("refuses a directory that is not empty, unless told", async () => {
    const root = await temporaryDirectory();
    await mkdir(join(root, "mnt/sub"), { recursive: true });
    await expect(checkMountpoint(optionsOf(root))).rejects.toThrow(
      'it is not empty ("sub" is there)',
    );
    const given = { nonempty: "yes" };
    expect(await checkMountpoint(optionsOf(root, given))).toMatchObject({ staleMounts: 0 });
  });

  test.each([
    [{ "cache-dir": "mnt/cache" }, "cache_dir", "lies inside the mount point"],
    [{ "state-dir": "mnt" }, "state_dir", "lies inside the mount point"],
    [{ "cache-dir": "." }, "cache_dir", "contains the mount point"],
    [{ "cache-dir": "link/cache" }, "cache_dir", "lies inside the mount point"],
    [{ "log-file": "mnt/log" }, "log_file", "lies inside the mount point"],
  ])("refuses %j", async (given, name, how) => {
    const root = await temporaryDirectory();
    await mkdir(join(root, "mnt"));
    await symlink("mnt", join(root, "link"));
    const options = optionsOf(root, { "state-dir": "/elsewhere", ...given });
    await expect(checkMountpoint(options)).rejects.toMatchObject({
      kind: "configuration",
      message: expect.stringMatching(new RegExp(`^Cannot use ${name}=.*${how}`)),
    });
  });
});

describe("checkDirectories()", () => {
  test("makes them for their owner only, and leaves them empty", async () => {
    const root = await temporaryDirectory();
    const options = optionsOf(root);
    await checkDirectories(options);
    expect(await readdir(options.cache.directory)).toEqual([]);
    expect(await readdir(options.spool.stateDirectory)).toEqual([]);
  });

  test("refuses what cannot be a directory, naming the option", async () => {
    const root = await temporaryDirectory();
    await writeFile(join(root, "state"), "");
    await expect(checkDirectories(optionsOf(root))).rejects.toMatchObject({
      kind: "configuration",
      message: expect.stringMatching(
        /^Cannot use state_dir=\S+\/state: it cannot be written \(.*ENOTDIR.*\); choose another with --state-dir$/,
      ),
    });
  });

  // /proc/sys is read-only to no one but takes no folders, from root either
  test("refuses what cannot be written", async () => {
    const root = await temporaryDirectory();
    const options = optionsOf(root, { "cache-dir": "/proc/sys/pailfs" });
    await expect(checkDirectories(options)).rejects.toThrow(
      "Cannot use cache_dir=/proc/sys/pailfs",
    );
  });
});

describe("checkCredentials()", () => {
  const check = async (
    options: MountOptions,
    home: string,
    variables: Record<string, string> = {},
  ): Promise<void> =>
    checkCredentials(options, { variables, homeDirectory: home, uid: process.getuid?.() ?? 0 });

  test("without any key, on a service of one's own, is refused", async () => {
    const root = await temporaryDirectory();
    const options = optionsOf(root, { endpoint: "http://127.0.0.1:9" });
    await expect(check(options, root)).rejects.toMatchObject({
      kind: "credentials",
      message: expect.stringContaining("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    });
    await check(options, root, { AWS_WEB_IDENTITY_TOKEN_FILE: "/t" });
    await check(optionsOf(root), root);
  });

  test("a profile has to exist", async () => {
    const root = await temporaryDirectory();
    await mkdir(join(root, ".aws"));
    await writeFile(join(root, ".aws/config"), "[profile media]\nregion = x\n");
    await check(optionsOf(root, { profile: "media" }), root);
    await expect(check(optionsOf(root, { profile: "other" }), root)).rejects.toThrow(
      'Cannot find profile "other" in',
    );
  });

  test("a credentials file has to be its owner's alone", async () => {
    const root = await temporaryDirectory();
    const options = optionsOf(root, { "credentials-file": "keys" });
    await expect(check(options, root)).rejects.toThrow("Cannot read credentials_file=");
    await writeFile(join(root, "keys"), "K:S", { mode: 0o600 });
    await check(options, root);
    await chmod(join(root, "keys"), 0o644);
    await expect(check(options, root)).rejects.toThrow(
      `others may read it; run: chmod 600 ${root}/keys`,
    );
  });

  test("a file with a key for SSE-C is its owner's alone, and holds such a key", async () => {
    const root = await temporaryDirectory();
    const path = join(root, "sse");
    const options = optionsOf(root, { "sse-customer-key-file": "sse" });
    await expect(check(options, root)).rejects.toThrow("Cannot read sse_customer_key_file=");
    await writeFile(path, "0123456789abcdef0123456789abcde\n", { mode: 0o644 });
    await expect(check(options, root)).rejects.toThrow("others may read it");
    await chmod(path, 0o600);
    await check(options, root);
    const key = randomBytes(32);
    const base64 = key.toString("base64");
    for (const content of [key, base64, `${base64}\n`]) {
      await writeFile(path, content);
      expect(await customerKeyIn(path)).toBe(base64);
    }
    // no blanks: those around a key mean nothing
    for (const content of ["short", `${base64}${base64}`, Buffer.alloc(33, 0xab)]) {
      await writeFile(path, content);
      await expect(check(options, root)).rejects.toMatchObject({
        kind: "credentials",
        message: `Cannot use sse_customer_key_file=${path}: it has ${content.length} bytes; want 32 bytes, or base64 of 32 bytes`,
      });
    }
  });
});

test("checkAnswer() refuses a directory where nothing is mounted", async () => {
  await expect(checkAnswer(await temporaryDirectory())).rejects.toMatchObject({
    kind: "runtime",
    message: expect.stringContaining("it is not to be seen here"),
  });
});
