import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DaemonStart } from "../../../src/daemon/daemon-start.ts";
import { spawnDaemon } from "../../../src/daemon/spawn-daemon.ts";
import { optionsBelow } from "./fake-mount.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

// A child as daemon-child.ts is one, that mounts nothing; `body` is what it does with its orders.
async function run(
  body: string,
  options: { timeoutMs?: number; signal?: AbortSignal; path?: string } = {},
): Promise<{ pid: Promise<number>; directory: string; start: DaemonStart }> {
  const directory = await temporaryDirectory();
  const script = join(directory, "child.mjs");
  await writeFile(
    script,
    `import { writeFileSync } from "node:fs";
     writeFileSync(${JSON.stringify(join(directory, "pid"))}, String(process.pid));
     process.on("message", (start) => { ${body} });`,
  );
  const start: DaemonStart = {
    options: optionsBelow(directory),
    logTo: { kind: "file", path: join(directory, "log") },
    runtimeDirectories: [],
    version: "1",
  };
  const spawned = spawnDaemon(start, {
    command: [process.execPath, options.path ?? script],
    variables: process.env,
    timeoutMs: options.timeoutMs ?? 15_000,
    signal: options.signal ?? new AbortController().signal,
  });
  const pid = spawned.then((daemon) => daemon.pid);
  pid.catch(() => undefined);
  return { pid, directory, start };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function childPid(directory: string): Promise<number> {
  return Number(await readFile(join(directory, "pid"), "utf8"));
}

const stay = "setInterval(() => undefined, 1000);";

describe("spawnDaemon()", () => {
  test("resolves once the child is ready, which stays in a session of its own", async () => {
    const { pid, directory } = await run(`
      process.send({ kind: "ready" }, () => undefined);
      process.on("disconnect", () => undefined);
      ${stay}`);
    const child = await pid;
    onTestFinished(() => void process.kill(child, "SIGKILL"));
    expect(await childPid(directory)).toBe(child);
    const [, group] = /\) \S+ \d+ (\d+) /.exec(await readFile(`/proc/${child}/stat`, "utf8")) ?? [];
    expect(Number(group)).toBe(child);
    expect(await readFile(`/proc/${child}/environ`, "utf8")).toContain("UV_THREADPOOL_SIZE=16");
  });

  test("hands over options by IPC, undefined fields included, and no key in argv", async () => {
    const { pid, directory, start } = await run(`
      writeFileSync(start.options.spool.stateDirectory + "/got", JSON.stringify([
        start.options.s3.credentials.environmentKeys.accessKeyId, "region" in start.options.s3, process.argv.length]));
      process.send({ kind: "ready" }, () => process.disconnect());`);
    await pid;
    const got = await readFile(join(start.options.spool.stateDirectory, "got"), "utf8");
    expect(JSON.parse(got)).toEqual(["id", true, 2]);
    const child = await childPid(directory);
    await expect.poll(() => isAlive(child)).toBe(false);
  });

  test("rejects with the child's own reason, and leaves no child", async () => {
    const { pid, directory } = await run(
      `process.send({ kind: "failed", failure: "credentials", message: "wrong keys" }); ${stay}`,
    );
    await expect(pid).rejects.toMatchObject({ kind: "credentials", message: "wrong keys" });
    expect(isAlive(await childPid(directory))).toBe(false);
  });

  test("tells the last words of a child that crashed", async () => {
    const { pid } = await run(`throw new TypeError("boom");`);
    await expect(pid).rejects.toMatchObject({
      kind: "runtime",
      message: expect.stringMatching(
        /^Cannot mount: the daemon ended with status 1: .*TypeError: boom.* \(all of it in .*stderr\.log\)$/,
      ),
    });
  });

  test("tells the signal that killed a child", async () => {
    const { pid } = await run(`process.kill(process.pid, "SIGKILL");`);
    await expect(pid).rejects.toThrow("the daemon ended with SIGKILL");
  });

  test("gives up on a child that does not answer, and kills it", async () => {
    const { pid, directory } = await run(stay, { timeoutMs: 1500 });
    await expect(pid).rejects.toMatchObject({
      kind: "unavailable",
      message: "Cannot mount: no answer from the daemon after 2 s",
    });
    expect(isAlive(await childPid(directory))).toBe(false);
  });

  test("that is interrupted kills the child, also one deaf to SIGTERM", async () => {
    const interrupt = new AbortController();
    const { pid, directory } = await run(
      `process.on("SIGTERM", () => undefined); writeFileSync(start.logTo.path, "deaf"); ${stay}`,
      { signal: interrupt.signal },
    );
    const deaf = async (): Promise<string> =>
      readFile(join(directory, "log"), "utf8").catch(() => "");
    await expect.poll(deaf, { timeout: 10_000 }).toBe("deaf");
    interrupt.abort();
    await expect(pid).rejects.toMatchObject({ kind: "interrupted" });
    expect(isAlive(await childPid(directory))).toBe(false);
  });

  test("rejects when there is no such program", async () => {
    const { pid } = await run("", { path: "/nonexistent.mjs" });
    await expect(pid).rejects.toThrow("Cannot find module");
  });
});
