import { execFile } from "node:child_process";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Milliseconds until it is killed. */
  readonly timeout: number;
  readonly env: NodeJS.ProcessEnv;
  /** Most bytes of each stream; Node's default if left out. */
  readonly maxBuffer?: number;
}

/** Runs a program; never rejects: -1 stands for one that did not start or was killed. */
export async function runToEnd(
  program: string,
  words: readonly string[],
  options: RunOptions,
): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, words, { ...options, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}
