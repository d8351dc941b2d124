// Programs that write, read, rename and remove on a mount, in a process of their own.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

const program = new URL("load.py", import.meta.url).pathname;

/** What load.py is to do; bytes and pauses are each file's. */
export interface LoadPlan {
  readonly root: string;
  readonly seed: number;
  readonly writers: number;
  readonly changers: number;
  readonly large: boolean;
  readonly pauseMs: number;
  readonly bytes: number;
  /** MD5 of files whose content is on the local disk. */
  readonly cached: Readonly<Record<string, string>>;
  /** Objects of ramp bytes that are only in the bucket, called `prefix` and a number. */
  readonly remote: { readonly prefix: string; readonly count: number; readonly size: number };
}

/** What became of it. */
export interface LoadReport {
  /** MD5 of each file as of its last acknowledged change. */
  readonly expected: Readonly<Record<string, string>>;
  /** Files of which a change failed. */
  readonly uncertain: readonly string[];
  /** By kind of call and errno. */
  readonly errors: Readonly<Record<string, number>>;
  /** The first of them, with time and path. */
  readonly failures: readonly string[];
  /** Files whose content was not what had been written. */
  readonly wrong: readonly string[];
  readonly longestMs: Readonly<Record<string, number>>;
  readonly calls: Readonly<Record<string, number>>;
}

/** A load under way; kill() it when a test fails. */
export class Load {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(plan: LoadPlan) {
    this.#child = spawn("python3", [program, JSON.stringify(plan)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves once all are at work. */
  static async start(plan: LoadPlan): Promise<Load> {
    const load = new Load(plan);
    await load.#line();
    return load;
  }

  /** Ends it after the calls that are under way. */
  async stop(): Promise<LoadReport> {
    this.#child.stdin.end();
    return JSON.parse(await this.#line()) as LoadReport;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("The load ended too soon");
    return value;
  }
}
