// `pailfs queue` on daemons with fake mounts: words, output and exit codes.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { CommandContext } from "../../../src/cli/command-context.ts";
import { runCli } from "../../../src/cli/main.ts";
import { startDaemon } from "../../../src/daemon/run-daemon.ts";
import { FakeMount, fakeParts, optionsBelow } from "../daemon/fake-mount.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

const since = Date.now() - 300_000;
const refused = {
  id: "7",
  state: "refused",
  kind: "put",
  key: "a/b",
  bytes: 8,
  sinceMs: since,
  attempts: 3,
  reason: "403 AccessDenied",
} as const;
const waiting = { id: "9", state: "waiting", kind: "delete", key: "c" } as const;
const quarantined = { id: "0k-1", state: "quarantined", kind: "put", bytes: 4 } as const;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Bench {
  readonly directory: string;
  readonly mount: FakeMount;
  readonly run: (...words: string[]) => Promise<Ended>;
}

async function bench(): Promise<Bench> {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, "mnt"));
  const mount = new FakeMount();
  mount.queue.items = [refused, waiting, quarantined];
  const running = await startDaemon(optionsBelow(directory), fakeParts(mount), {
    runtimeDirectories: [join(directory, "run")],
    version: "1",
  });
  onTestFinished(async () => {
    running.stop();
    mount.leave();
    await running.finished;
  });
  const run: Bench["run"] = async (...words) => cli(directory, ["queue", "mnt", ...words]);
  return { directory, mount, run };
}

async function cli(directory: string, argv: readonly string[]): Promise<Ended> {
  const out = { stdout: "", stderr: "" };
  const context: CommandContext = {
    environment: { variables: {}, uid: 0, gid: 0, directory, homeDirectory: directory },
    version: "1",
    runtimeDirectories: [join(directory, "run")],
    self: [process.execPath],
    isTerminal: false,
    stdout: (text) => void (out.stdout += text),
    stderr: (text) => void (out.stderr += text),
    interruptible: () => new AbortController().signal,
  };
  return { code: await runCli(argv, context), ...out };
}

test("lists what is stuck, one line each, with since when and why", async () => {
  const { run } = await bench();
  const { code, stdout } = await run();
  expect(code).toBe(0);
  expect(stdout.split("\n")).toEqual([
    '7  refused for 5 min  put "a/b", 8 B, tried 3 times: 403 AccessDenied',
    "0k-1  quarantined  put a file without a name, 4 B",
    "",
  ]);
});

test("--all and --json tell everything", async () => {
  const { run } = await bench();
  const { stdout } = await run("--all", "--json");
  expect(JSON.parse(stdout)).toEqual([refused, waiting, quarantined]);
});

test("a long list comes whole", async () => {
  const { mount, run } = await bench();
  const key = "k".repeat(1000);
  mount.queue.items = Array.from({ length: 3000 }, (_, i) => ({ ...refused, id: `${i}`, key }));
  const { stdout } = await run("--json");
  expect(JSON.parse(stdout)).toEqual(mount.queue.items);
});

test("an empty list says so", async () => {
  const { mount, run } = await bench();
  mount.queue.items = [waiting];
  expect(await run()).toMatchObject({ code: 0, stdout: "Nothing is stuck.\n" });
});

test("retry says how many", async () => {
  const { run } = await bench();
  expect(await run("retry", "7", "9")).toMatchObject({ code: 0, stdout: "2 tried again\n" });
});

test("an id that is not there is one line and not 0", async () => {
  const { run } = await bench();
  const { code, stderr } = await run("retry", "8");
  expect(code).not.toBe(0);
  expect(stderr).toBe("pailfs: Nothing has the number 8\n");
});

test("export copies under the key, and never over a file", async () => {
  const { directory, mount, run } = await bench();
  mount.queue.items = [refused, { ...refused, id: "8", key: "../../evil" }];
  mount.queue.bytes = join(directory, "staged");
  await writeFile(mount.queue.bytes, "precious and not promised");
  const saved = await run("export", "out");
  expect(saved.code).toBe(0);
  expect(await readFile(join(directory, "out/a/b"), "utf8")).toBe("precious");
  expect(await readFile(join(directory, "out/8"), "utf8")).toBe("precious");
  await writeFile(join(directory, "out/a/b"), "mine");
  const again = await run("export", "out", "7");
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(/^pailfs: Cannot export 7: EEXIST[^\n]*\n$/);
  expect(await readFile(join(directory, "out/a/b"), "utf8")).toBe("mine");
});

test("discard wants --lose-data, and says how to save the data first", async () => {
  const { mount, run } = await bench();
  const refusal = await run("discard", "7");
  expect(refusal.code).toBe(2);
  expect(refusal.stderr).toMatch(/without --lose-data.*pailfs queue mnt export DIRECTORY 7\n$/);
  expect(mount.queue.items).toHaveLength(3);
  const done = await run("discard", "7", "--lose-data");
  expect(done).toMatchObject({ code: 0, stdout: "7 discarded\n" });
  expect(mount.queue.items).toEqual([waiting, quarantined]);
});

test.each([
  [["eat"], /^pailfs: Cannot eat the queue: want retry, export or discard/],
  [["export"], /^pailfs: Cannot export: want pailfs queue MOUNTPOINT export DIRECTORY/],
  [["discard", "--lose-data"], /^pailfs: Cannot discard: want pailfs queue MOUNTPOINT discard ID/],
])("%j is refused with 2 and one line", async (words, line) => {
  const { run } = await bench();
  const { code, stderr } = await run(...words);
  expect(code).toBe(2);
  expect(stderr).toMatch(line);
});

test("where no daemon runs it says what to do", async () => {
  const directory = await temporaryDirectory();
  const { code, stderr } = await cli(directory, ["queue", "nowhere"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^pailfs: No pailfs is mounted on [^\n]*mount it \(this works with S3 down too\)[^\n]*\n$/,
  );
});
