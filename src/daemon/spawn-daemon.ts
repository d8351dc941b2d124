// Turns a mount into a process of its own, and waits until it answers. Node has no fork(2).
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { loadSystemCalls } from "../posix/syscalls.ts";
import type { DaemonAnswer, DaemonStart } from "./daemon-start.ts";
import { makeDirectory } from "./make-directory.ts";
import { StartError } from "./start-error.ts";

export interface SpawnOptions {
  /** Program and arguments of the child; its argv is public, so nothing secret. */
  readonly command: readonly [string, ...string[]];
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Milliseconds until the mount must answer. */
  readonly timeoutMs: number;
  /** Fires when the user lost patience: the child is stopped. */
  readonly signal: AbortSignal;
}

const killAfterMs = 3000;

/** Where the child finds an inherited FUSE device: behind the standard streams and the channel. */
const DEVICE_OF_CHILD = 4;

/** A daemon whose mount answers. */
export interface SpawnedDaemon {
  readonly pid: number;
  /** What whoever mounted should hear. */
  readonly warning: string | undefined;
}

/** Resolves once the child's mount answers; rejects with StartError when it fails, with no child left. */
export async function spawnDaemon(
  start: DaemonStart,
  options: SpawnOptions,
): Promise<SpawnedDaemon> {
  const errors = await openErrorFile(start);
  try {
    return await startChild(start, options, errors);
  } finally {
    await errors.handle?.close();
  }
}

interface ErrorFile {
  readonly path: string;
  /** Undefined when our own standard error is the journal, which the daemon may keep. */
  readonly handle: FileHandle | undefined;
  readonly startsAt: number;
}

// the daemon must not keep the caller's terminal or pipe; what Node itself prints as it dies goes to a file
async function openErrorFile({ options, logTo }: DaemonStart): Promise<ErrorFile> {
  const path = join(options.spool.stateDirectory, "stderr.log");
  if (logTo.kind === "stderr") return { path, handle: undefined, startsAt: 0 };
  await makeDirectory(options.spool.stateDirectory, 0o700);
  const handle = await open(path, "a+", 0o600);
  return { path, handle, startsAt: (await handle.stat()).size };
}

async function startChild(
  start: DaemonStart,
  options: SpawnOptions,
  errors: ErrorFile,
): Promise<SpawnedDaemon> {
  const [program, ...words] = options.command;
  const output = errors.handle?.fd ?? "inherit";
  const { device } = start.options.fuse;
  // once more under its own number it would stay open in whatever the daemon runs
  if (device !== undefined) (await loadSystemCalls())?.closeOnExec(device);
  const child = spawn(program, words, {
    detached: true,
    cwd: "/",
    stdio: ["ignore", output, output, "ipc", ...(device === undefined ? [] : [device])],
    // glibc gives each of some 30 threads an arena that keeps what it once had: 8 MiB of an idle daemon
    env: { MALLOC_ARENA_MAX: "2", ...options.variables, UV_THREADPOOL_SIZE: "16" },
    // keeps undefined fields, which JSON would drop
    serialization: "advanced",
  });
  const settled = firstAnswer(child, options, errors);
  child.send(
    device === undefined ? { ...start } : withDevice(start, DEVICE_OF_CHILD),
    () => undefined,
  );
  let warning: string | undefined;
  try {
    warning = await settled;
  } catch (error) {
    await endChild(child);
    throw error;
  }
  if (child.connected) child.disconnect();
  child.unref();
  return { pid: child.pid ?? 0, warning };
}

function withDevice(start: DaemonStart, device: number): DaemonStart {
  return { ...start, options: { ...start.options, fuse: { ...start.options.fuse, device } } };
}

async function firstAnswer(
  child: ChildProcess,
  { timeoutMs, signal }: SpawnOptions,
  errors: ErrorFile,
): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort = (): void => undefined;
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      onAbort = () =>
        reject(new StartError("interrupted", "Interrupted before the mount answered"));
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      timer = setTimeout(() => {
        const after = `${Math.round(timeoutMs / 1000)} s`;
        reject(
          new StartError("unavailable", `Cannot mount: no answer from the daemon after ${after}`),
        );
      }, timeoutMs);
      child.once("error", (cause) =>
        reject(new StartError("runtime", `Cannot start the daemon: ${cause.message}`, { cause })),
      );
      child.once("message", (message) => {
        const answer = message as DaemonAnswer;
        if (answer.kind === "ready") resolve(answer.warning);
        else reject(new StartError(answer.failure, answer.message));
      });
      child.once(
        "exit",
        (code, by) =>
          void lastWords(errors).then((words) => {
            const status = by === null ? `status ${code}` : by;
            reject(
              new StartError("runtime", `Cannot mount: the daemon ended with ${status}${words}`),
            );
          }),
      );
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

// never rejects
async function lastWords({ handle, startsAt, path }: ErrorFile): Promise<string> {
  try {
    const { buffer, bytesRead } = (await handle?.read(Buffer.alloc(4096), 0, 4096, startsAt)) ?? {};
    const lines = buffer?.toString("utf8", 0, bytesRead).split("\n") ?? [];
    const telling =
      lines.find((line) => /^(\w*Error|FATAL|fatal)/.test(line)) ??
      lines.find((line) => line !== "");
    return telling === undefined ? "" : `: ${telling.trim()} (all of it in ${path})`;
  } catch {
    return "";
  }
}

// SIGTERM lets it take back a half-made mount
async function endChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  await exited;
  clearTimeout(timer);
}
