import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { toSystemFsError } from "./errno.ts";

const DIRECTORIES = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
  // setuid programs of NixOS
  "/run/wrappers/bin",
];

/** The environment of every program that mounts or unmounts: fixed paths, messages in English. */
export const programEnvironment = { PATH: DIRECTORIES.join(":"), LC_ALL: "C" } as const;

export interface ProgramOptions {
  /** Descriptors that the program gets as 3, 4 and so on. */
  readonly inherited?: readonly number[];
  /** More environment variables. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Milliseconds after which it is killed. */
  readonly timeoutMs?: number;
}

/** How a program ended. */
export interface ProgramResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** What it said, both streams, trimmed and in one line. */
  readonly output: string;
}

/** Runs a program to its end, never through a shell and never waited for synchronously; rejects with FsError when it does not start. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { inherited = [], variables = {}, timeoutMs }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: "/",
      env: { ...programEnvironment, ...variables },
      stdio: ["ignore", "pipe", "pipe", ...inherited],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    let output = "";
    const collect = (text: Buffer): void => {
      output += text.toString();
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.once("error", (error) => reject(toSystemFsError(error, `Cannot run ${command}`)));
    child.once("close", (code) =>
      resolve({ code, output: output.trim().replaceAll(/\s*\n\s*/g, " ") }),
    );
  });
}

/** The path of the first of these programs that is installed. */
export async function findProgram(...names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const directory of DIRECTORIES) {
      const path = join(directory, name);
      const isThere = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return path;
    }
  }
  return undefined;
}
