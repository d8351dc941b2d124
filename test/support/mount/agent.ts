import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A Python process that makes system calls for a test. */
export class Agent {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  #lastId = 0;

  constructor(user?: { readonly uid: number; readonly gid: number }) {
    const script = new URL("agent.py", import.meta.url).pathname;
    const args = user === undefined ? [script] : [script, `${user.uid}`, `${user.gid}`];
    this.#child = spawn("python3", args, { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("the agent has no output");
    createInterface({ input: stdout }).on("line", (line) => this.#onLine(line));
    this.#child.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the agent is gone"));
      this.#waiting.clear();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Runs statements that may set `result`; rejects with an error whose `code` is the errno's name. */
  run(code: string, variables: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, code, variables })}\n`);
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 2000);
    await gone;
    clearTimeout(timer);
  }

  #onLine(line: string): void {
    const answer = JSON.parse(line) as {
      id: number;
      result?: unknown;
      code?: string;
      message?: string;
    };
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.code === undefined) waiting?.resolve(answer.result);
    else waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
  }
}
