// Calls as mount(8) and umount(8) make them; those that mount are in test/mount and test/boot.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommandContext } from "../../../src/cli/command-context.ts";
import { runHelper, scanHelperArguments } from "../../../src/cli/mount-helper.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

async function helper(kind: "mount" | "umount", argv: readonly string[]) {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, "mnt/full"), { recursive: true });
  let stderr = "";
  const context: CommandContext = {
    program: "mount.pailfs",
    environment: { variables: {}, uid: 0, gid: 0, directory, homeDirectory: directory },
    version: "1",
    runtimeDirectories: [join(directory, "run")],
    self: [process.execPath, join(directory, "no-child.mjs")],
    isTerminal: false,
    stdout: () => undefined,
    stderr: (text) => void (stderr += text),
    interruptible: () => new AbortController().signal,
  };
  return { code: await runHelper(kind, argv, context), stderr };
}

describe("scanHelperArguments()", () => {
  test.each([
    [["b", "/m", "-o", "rw,uid=1"], ["b", "/m"], "", ["rw", "uid"]],
    [["b", "/m", "-s", "-f", "-n", "-v", "-o", "rw"], ["b", "/m"], "sfnv", ["rw"]],
    [["b", "/m", "-sfnv", "-orw"], ["b", "/m"], "sfnv", ["rw"]],
    [["b", "/m", "-o", "rw", "-t", "fuse.pailfs"], ["b", "/m"], "", ["rw"]],
    [["b", "/m", "-N", "/proc/7/fd/3", "-o", "a,b"], ["b", "/m"], "", ["a", "b"]],
    [["b", "/m", "-q"], ["b", "/m"], "q", []],
    [["/m", "-n", "-l"], ["/m"], "nl", []],
    [["--", "-b", "/m"], ["-b", "/m"], "", []],
  ])("%j", (argv, words, letters, names) => {
    const scanned = scanHelperArguments(argv);
    expect(scanned.words).toEqual(words);
    expect([...scanned.letters].join("")).toBe(letters);
    expect(scanned.given.map(({ name }) => name)).toEqual(names);
  });
});

describe("the exit status is that of mount(8), the message one line", () => {
  test.each([
    [["b"], 1, 'Cannot mount "b": want SOURCE MOUNTPOINT -o OPTIONS'],
    [["b", "mnt", "x"], 1, 'Cannot mount "b mnt x"'],
    [["b", "mnt", "--foreground"], 1, "Unknown option --foreground"],
    [["b", "mnt", "-o"], 1, "Cannot use -o without a value"],
    [["b", "mnt", "-o", "huhu"], 1, "Unknown option -o huhu"],
    [["b", "mnt", "-o", "config=/missing"], 1, "Cannot read config=/missing"],
    [["/dev/sda", "mnt", "-o", "rw"], 1, "is no bucket name"],
    [["b", "missing", "-o", "rw"], 32, "there is no such directory"],
    [["b", "mnt", "-o", "rw"], 32, 'it is not empty ("full" is there)'],
    [["b", "mnt", "-o", "remount,rw"], 32, "no pailfs is mounted there"],
  ])("mount %j", async (argv, code, message) => {
    const ended = await helper("mount", argv);
    expect(ended).toEqual({ code, stderr: expect.stringContaining(message) });
    expect(ended.stderr).toMatch(/^mount\.pailfs: [^\n]+\n$/);
  });

  test.each([
    [[], 1, "want MOUNTPOINT"],
    [["mnt"], 32, "nothing is mounted there"],
  ])("umount %j", async (argv, code, message) => {
    expect(await helper("umount", argv)).toEqual({
      code,
      stderr: expect.stringContaining(message),
    });
  });
});

test("mount -f does nothing and succeeds", async () => {
  expect(await helper("mount", ["b", "mnt", "-f", "-o", "rw"])).toEqual({ code: 0, stderr: "" });
});
