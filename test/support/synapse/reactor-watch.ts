// How long a Synapse takes to answer a request that needs no file, and how long the thread that answers waits for a mount,
// seen by a process that does nothing else.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Homeserver } from "./homeserver.ts";

const program = new URL("reactor-watch.py", import.meta.url).pathname;

/** Of GET /_matrix/client/versions, in ms. */
export interface Answers {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The longest wait of its thread for a mount. */
  readonly mount: number;
}

export class ReactorWatch {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(server: Homeserver) {
    const { port } = new URL(server.base);
    this.#child = spawn("python3", [program, port, `${server.pid}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Runs `action`; resolves to the answers' times meanwhile. */
  static async during(server: Homeserver, action: () => Promise<unknown>): Promise<Answers> {
    const watch = new ReactorWatch(server);
    try {
      await watch.#line();
      await action();
      watch.#child.stdin.end();
      return JSON.parse(await watch.#line()) as Answers;
    } finally {
      watch.#child.kill("SIGKILL");
    }
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("The watch of Synapse's reactor ended too soon");
    return value;
  }
}
