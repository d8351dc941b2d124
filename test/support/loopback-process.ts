// A loopback S3 in a process of its own, for mounts by the real command.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const main = new URL("../../dist/test-support/loopback-s3/main.js", import.meta.url).pathname;

/** The server's process. */
export type LoopbackProcess = ChildProcessByStdio<null, Readable, null>;

/** Starts it with the bucket "bucket" on `port`, its objects in `folder` or else in memory. */
export function spawnLoopback(port: number, folder?: string): LoopbackProcess {
  const where = ["--port", `${port}`, ...(folder === undefined ? [] : ["--dir", folder])];
  return spawn(process.execPath, [main, ...where, "--bucket", "bucket"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Resolves once it listens. */
export async function untilListening(server: LoopbackProcess): Promise<void> {
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.startsWith("listening")) return;
  }
  throw new Error("The loopback S3 did not start: was `npm run build` run?");
}

/** Kills it and waits until it is gone. */
export async function stopLoopback(server: LoopbackProcess | undefined): Promise<void> {
  if (server === undefined || server.exitCode !== null) return;
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGKILL");
  await gone;
}
