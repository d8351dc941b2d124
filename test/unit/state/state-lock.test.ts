import { spawnSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, test } from "vitest";
import { acquireStateLock, SOCKET_NAME } from "../../../src/state/state-lock.ts";

// A socket file whose process died without removing it.
function leaveStaleSocket(path: string): void {
  const script = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script, path]);
}

async function withDirectory(run: (path: string) => Promise<void>): Promise<void> {
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  try {
    await run(path);
  } finally {
    await cleanup();
  }
}

test("acquireStateLock() refuses while another holds it, and succeeds after its release", async () => {
  await withDirectory(async (path) => {
    const first = await acquireStateLock(path);
    await expect(acquireStateLock(path)).rejects.toThrow("another pailfs is using it");
    await first.release();
    expect(await readdir(path)).toEqual([]);
    const second = await acquireStateLock(path);
    await second.release();
  });
});

test("acquireStateLock() takes a dead daemon's socket over", async () => {
  await withDirectory(async (path) => {
    leaveStaleSocket(join(path, SOCKET_NAME));
    expect(await readdir(path)).toEqual([SOCKET_NAME]);
    const lock = await acquireStateLock(path);
    expect(await readdir(path)).toEqual([SOCKET_NAME]);
    await lock.release();
  });
});

test("acquireStateLock() takes an ordinary file in its place over", async () => {
  await withDirectory(async (path) => {
    await writeFile(join(path, SOCKET_NAME), "");
    const lock = await acquireStateLock(path);
    expect(lock.server.listening).toBe(true);
    await lock.release();
  });
});

test("acquireStateLock() lets exactly one of many contenders win a dead socket", async () => {
  await withDirectory(async (path) => {
    for (let round = 0; round < 3; round++) {
      leaveStaleSocket(join(path, SOCKET_NAME));
      const results = await Promise.allSettled(
        Array.from({ length: 12 }, async () => acquireStateLock(path)),
      );
      const winners = results.filter((result) => result.status === "fulfilled");
      expect(winners).toHaveLength(1);
      await winners[0]?.value.release();
    }
  });
});

test("acquireStateLock() works in a directory whose path exceeds sun_path, and answers connections", async () => {
  await withDirectory(async (path) => {
    const long = join(path, "d".repeat(120));
    await mkdir(long);
    const lock = await acquireStateLock(long);
    expect(lock.path).toBe(join(long, SOCKET_NAME));
    await expect(acquireStateLock(long)).rejects.toThrow("another pailfs");
    await lock.release();
  });
});

test("acquireStateLock() leaves connections to its holder", async () => {
  await withDirectory(async (path) => {
    const lock = await acquireStateLock(path);
    lock.server.on("connection", (socket) => socket.end("hello"));
    const text = await new Promise<string>((resolve, reject) => {
      let received = "";
      const socket = connect(lock.path);
      socket.on("data", (data) => (received += data.toString()));
      socket.on("end", () => resolve(received));
      socket.on("error", reject);
    });
    expect(text).toBe("hello");
    await lock.release();
  });
});
