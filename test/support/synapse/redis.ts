// A Redis for one test, without a network: what the processes of one Synapse tell each other goes through it.
import { type ChildProcess, spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { waitUntil } from "../mount/wait-until.ts";

export class Redis {
  /** Of its socket. */
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  /** An empty one that keeps nothing, with its socket in `folder`. */
  static async start(folder: string): Promise<Redis> {
    const path = join(folder, "redis.sock");
    const words = ["--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no"];
    const child = spawn("redis-server", words, { cwd: folder, stdio: "ignore" });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const ready = waitUntil(
      "Redis listens",
      async () =>
        access(path).then(
          () => true,
          () => false,
        ),
      30_000,
    );
    await Promise.race([ready, failed]);
    return new Redis(path, child);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
