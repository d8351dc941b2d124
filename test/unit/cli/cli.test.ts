// Command lines against daemons with fake mounts: output and exit codes.
import { writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { CommandContext } from "../../../src/cli/command-context.ts";
import { runCli } from "../../../src/cli/main.ts";
import { type RunningDaemon, startDaemon } from "../../../src/daemon/run-daemon.ts";
import { FakeMount, fakeParts, optionsBelow } from "../daemon/fake-mount.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function cli(
  directory: string,
  argv: readonly string[],
  given: Partial<CommandContext> = {},
): Promise<Output> {
  const out = { stdout: "", stderr: "" };
  const context: CommandContext = {
    environment: {
      variables: { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "s", PATH: process.env["PATH"] },
      uid: process.getuid?.() ?? 0,
      gid: 0,
      directory,
      homeDirectory: directory,
    },
    version: "9.8.7",
    runtimeDirectories: [join(directory, "run")],
    self: [process.execPath, join(directory, "child.mjs")],
    isTerminal: false,
    stdout: (text) => void (out.stdout += text),
    stderr: (text) => void (out.stderr += text),
    interruptible: () => new AbortController().signal,
    ...given,
  };
  const code = await runCli(argv, context);
  return { code, ...out };
}

async function daemon(mount: FakeMount): Promise<{ directory: string; running: RunningDaemon }> {
  const directory = await temporaryDirectory();
  const running = await startDaemon(optionsBelow(directory), fakeParts(mount), {
    runtimeDirectories: [join(directory, "run")],
    version: "1",
  });
  return { directory, running };
}

describe("bad command lines end with 2 and one line", () => {
  test.each([
    [
      ["media"],
      'Cannot mount "media": no mount point given; want pailfs mount BUCKET[:PREFIX] MOUNTPOINT',
    ],
    [["mount"], "Cannot mount: no bucket given; want pailfs mount BUCKET[:PREFIX] MOUNTPOINT"],
    [["statsu"], "(or did you mean pailfs status?)"],
    [["mount", "a", "/b", "c"], 'Cannot make sense of "c"'],
    [
      ["mount", "media", "/mnt", "--cahce-dir", "/x"],
      "Unknown option --cahce-dir: did you mean --cache-dir?",
    ],
    [
      ["media", "/mnt", "-o", "cahce_dir=/x"],
      "Unknown option -o cahce_dir: did you mean -o cache_dir?",
    ],
    [["media", "/mnt", "--cache-size=12Q"], "Cannot use --cache-size=12Q: want a size"],
    [["media", "/mnt", "--cache-size"], "Cannot use --cache-size without a value"],
    [["media", "/mnt", "-o"], "Cannot use -o without a value"],
    [["/dev/sda", "/mnt"], "is no bucket name"],
    [["umount"], "Cannot run: the mount point is missing"],
    [["umount", "/mnt", "--lasy"], "Unknown argument: lasy"],
    [["umount", "/mnt", "--timeout", "soon"], "Cannot use --timeout=soon"],
    [["status", "a", "b"], "Unknown argument"],
    [["flush"], "the mount point is missing"],
  ])("%j", async (argv, message) => {
    const { code, stdout, stderr } = await cli("/nonexistent", argv);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^pailfs: [^\n]+\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("help and version go to standard output with 0", () => {
  test.each([[["--help"]], [["help"]], [["-h"]], [["mount", "--help"]], [["umount", "-h"]]])(
    "%j",
    async (argv) => {
      const { code, stdout, stderr } = await cli("/nonexistent", argv);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/pailfs (mount|umount)/);
    },
  );

  test.each([[["version"]], [["--version"]], [["-v"]]])("%j", async (argv) => {
    expect(await cli("/nonexistent", argv)).toEqual({ code: 0, stdout: "9.8.7\n", stderr: "" });
  });

  test("mount --help lists the option table", async () => {
    const { stdout } = await cli("/nonexistent", ["mount", "--help"]);
    for (const name of ["--cache-dir", "--s3-deadline", "--allow-other", "--log-level"]) {
      expect(stdout).toContain(name);
    }
  });
});

describe("mount", () => {
  async function prepared(child: string): Promise<{ root: string; argv: string[] }> {
    const root = await temporaryDirectory();
    await mkdir(join(root, "mnt"));
    await writeFile(join(root, "child.mjs"), `process.on("message", (start) => { ${child} });`);
    const directories = `cache_dir=${root}/cache,state_dir=${root}/state`;
    return { root, argv: ["media", "mnt", "-o", directories] };
  }

  test.each([
    ["credentials", 77],
    ["configuration", 78],
    ["unavailable", 69],
    ["temporary", 75],
    ["runtime", 1],
  ])("a daemon that fails on account of %s makes it end with %d", async (failure, expected) => {
    const answer = JSON.stringify({ kind: "failed", failure, message: "what is wrong" });
    const { root, argv } = await prepared(`process.send(${answer}, () => process.exit(1));`);
    expect(await cli(root, argv)).toEqual({
      code: expected,
      stdout: "",
      stderr: "pailfs: what is wrong\n",
    });
  });

  test("does not believe a daemon whose mount is not to be seen", async () => {
    const { root, argv } = await prepared(
      `process.send({ kind: "ready" }); setInterval(() => undefined, 1000);`,
    );
    const { code, stderr } = await cli(root, argv);
    expect(stderr).toContain("it is not to be seen here");
    expect(code).toBe(1);
  });

  test("interrupted ends with 130", async () => {
    const { root, argv } = await prepared("setInterval(() => undefined, 1000);");
    const interruptible = (): AbortSignal => AbortSignal.timeout(500);
    const { code, stderr } = await cli(root, argv, { interruptible });
    expect({ code, stderr }).toEqual({
      code: 130,
      stderr: "pailfs: Interrupted before the mount answered\n",
    });
  });

  test("says what it ignores, and refuses a mount point that is missing with 78", async () => {
    const root = await temporaryDirectory();
    const { code, stderr } = await cli(root, ["--cheap", "media", "mnt"]);
    expect(stderr).toMatch(
      /^pailfs: --cheap has no effect: .*\npailfs: Cannot mount on .*mkdir -p .*\n$/,
    );
    expect(code).toBe(78);
  });

  test("with a cache that cannot be made ends with 78, half a key pair with 77", async () => {
    const { root, argv } = await prepared("");
    const wrong = await cli(root, [...argv, "--cache-dir", "/proc/sys/x"]);
    expect(wrong.stderr).toContain("Cannot use cache_dir=/proc/sys/x");
    expect([77, 78]).toContain(wrong.code);
    const environment = {
      variables: { AWS_ACCESS_KEY: "id" },
      uid: 0,
      gid: 0,
      directory: root,
      homeDirectory: root,
    };
    const half = await cli(root, argv, { environment });
    expect(half.code).toBe(77);
  });
});

describe("commands to a daemon", () => {
  test("umount waits and ends with 0", async () => {
    const mount = new FakeMount();
    const { directory, running } = await daemon(mount);
    expect(await cli(directory, ["umount", "mnt"])).toEqual({ code: 0, stdout: "", stderr: "" });
    await running.finished;
  });

  test("umount shows progress on a terminal", async () => {
    const mount = new FakeMount();
    mount.pending = 2;
    const { directory, running } = await daemon(mount);
    let text = "";
    const stderr = (more: string): void => {
      text += more;
      if (more.includes("uploading")) mount.upload();
    };
    const { code } = await cli(directory, ["umount", "mnt"], { isTerminal: true, stderr });
    expect(code).toBe(0);
    expect(text).toContain("\r\u001B[Kuploading, 2 left (2.0 KiB)");
    expect(text.endsWith("\r\u001B[K")).toBe(true);
    await running.finished;
  });

  test("umount of a busy mount ends with 75", async () => {
    const mount = new FakeMount();
    mount.users = 1;
    const { directory, running } = await daemon(mount);
    expect(await cli(directory, ["umount", "mnt"])).toEqual({
      code: 75,
      stdout: "",
      stderr: `pailfs: Cannot unmount "${directory}/mnt": it is in use; end what uses it (see: fuser -vm ${directory}/mnt), or detach it with --lazy\n`,
    });
    mount.leave();
    running.stop();
    await running.finished;
  });

  test("umount --timeout stops waiting with 75, the daemon goes on", async () => {
    const mount = new FakeMount();
    mount.pending = 1;
    const { directory, running } = await daemon(mount);
    const { code, stderr } = await cli(directory, ["umount", "mnt", "--timeout", "600ms"]);
    expect(code).toBe(75);
    expect(stderr).toBe(
      "pailfs: Not done in time (uploading, 1 left (1000 B)): the daemon goes on by itself\n",
    );
    mount.upload();
    await running.finished;
  });

  test("umount --lazy does not wait", async () => {
    const mount = new FakeMount();
    mount.pending = 1;
    const { directory, running } = await daemon(mount);
    expect((await cli(directory, ["umount", "-l", "mnt"])).code).toBe(0);
    mount.upload();
    await running.finished;
  });

  test("umount of what is not mounted ends with 1", async () => {
    const directory = await temporaryDirectory();
    expect(await cli(directory, ["umount", "mnt"])).toEqual({
      code: 1,
      stdout: "",
      stderr: `pailfs: Cannot unmount "${directory}/mnt": nothing is mounted there\n`,
    });
  });

  test("status prints text or JSON, of one mount or all", async () => {
    const mount = new FakeMount();
    mount.pending = 1;
    const { directory, running } = await daemon(mount);
    const text = await cli(directory, ["status", "mnt"]);
    expect(text.stdout).toMatch(
      /^media:a\/ on \S+\/mnt\n {2}queue {5}1 waiting, 1000 B\n {2}cache .*\n {2}requests {2}PUT 3\n {2}daemon {4}pid \d+, serving, up \d+ s/,
    );
    const one = await cli(directory, ["status", "mnt", "--json"]);
    expect(JSON.parse(one.stdout)).toMatchObject({
      mountpoint: `${directory}/mnt`,
      phase: "serving",
    });
    const all = await cli(directory, ["status", "--json"]);
    expect(JSON.parse(all.stdout)).toHaveLength(1);
    mount.upload();
    running.stop();
    await running.finished;
    expect((await cli(directory, ["status"])).stdout).toBe("Nothing is mounted.\n");
    expect((await cli(directory, ["status", "mnt"])).code).toBe(1);
  });

  test("flush and refresh take a path below the mount point", async () => {
    const mount = new FakeMount();
    const { directory, running } = await daemon(mount);
    expect((await cli(directory, ["flush", "mnt"])).code).toBe(0);
    expect((await cli(directory, ["flush", "mnt", "a/b"])).code).toBe(0);
    expect((await cli(directory, ["refresh", "mnt", join(directory, "mnt/c")])).code).toBe(0);
    expect(mount.calls).toEqual(["flush /", "flush /a/b", "refresh /c"]);
    const outside = await cli(directory, ["flush", "mnt", "/etc"]);
    expect(outside).toMatchObject({
      code: 2,
      stderr: `pailfs: Cannot use "/etc": it is not below ${directory}/mnt\n`,
    });
    const missing = await cli(directory, ["flush", "mnt", "missing"]);
    expect(missing).toMatchObject({ code: 78, stderr: expect.stringContaining("no such file") });
    running.stop();
    await running.finished;
  });
});
