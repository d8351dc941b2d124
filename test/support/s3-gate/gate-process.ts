// A Gate in a process of its own.
import { type ChildProcess, fork } from "node:child_process";
import type { GateEntry, GateFault } from "./gate.ts";
import type { GateCommand } from "./main.ts";

const main = new URL("../../../dist/test-support/s3-gate/main.js", import.meta.url).pathname;

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The parent's end of a gate's process. */
export class GateProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;
  /** URL of the gate. */
  endpoint = "";

  private constructor(upstream: string, port: number) {
    this.#child = fork(main, [upstream, `${port}`], { cwd: "/", execArgv: [] });
    this.#child.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    this.#child.once("exit", () => {
      for (const [id, tell] of this.#waiting) tell({ id, error: "the gate's process is gone" });
    });
  }

  static async start(upstream: string, port: number): Promise<GateProcess> {
    const gate = new GateProcess(upstream, port);
    gate.endpoint = (await gate.#answer(0)) as string;
    return gate;
  }

  /** Requests so far, from the given one on. */
  async log(from = 0): Promise<GateEntry[]> {
    return (await this.#ask({ do: "log", from })) as GateEntry[];
  }

  async setLatency(ms: number): Promise<void> {
    await this.#ask({ do: "latency", ms });
  }

  async addFault(fault: GateFault): Promise<void> {
    await this.#ask({ do: "fault", fault });
  }

  async clearFaults(): Promise<void> {
    await this.#ask({ do: "clear" });
  }

  /** From now on connections are refused, and those that are open break. */
  async refuse(): Promise<void> {
    await this.#ask({ do: "refuse" });
  }

  async accept(): Promise<void> {
    await this.#ask({ do: "accept" });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }

  async #ask(command: GateCommand): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = this.#answer(id);
    this.#child.send({ id, command });
    return answer;
  }

  async #answer(id: number): Promise<unknown> {
    const { result, error } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(error);
    return result;
  }
}
