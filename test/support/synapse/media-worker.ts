// A process of a Synapse that serves media and nothing else, beside the main one.
import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { waitUntil } from "../mount/wait-until.ts";
import { logConfig } from "./homeserver-config.ts";
import type { Homeserver } from "./homeserver.ts";
import { MatrixUser } from "./matrix-user.ts";
import { synapsePython } from "./real-synapse.ts";

export interface WorkerOptions {
  /** As in `media_instance_running_background_jobs`. */
  readonly name: string;
  /** The media store, which may be another mount than the main process's. */
  readonly media: string;
  readonly variables: Readonly<Record<string, string>>;
}

export class MediaWorker {
  readonly name: string;
  /** URL for clients. */
  readonly base: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(name: string, folder: string, port: number, child: ChildProcess) {
    this.name = name;
    this.base = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#child = child;
  }

  /** Resolves once it answers; `main` runs, and has what workers need in its configuration. */
  static async start(main: Homeserver, options: WorkerOptions): Promise<MediaWorker> {
    const { name, media, variables } = options;
    const { folder } = main;
    const port = await freePort();
    const listener = {
      type: "http",
      port,
      bind_addresses: ["127.0.0.1"],
      resources: [{ names: ["media"] }],
    };
    const config = {
      worker_app: "synapse.app.generic_worker",
      worker_name: name,
      enable_media_repo: true,
      media_store_path: media,
      worker_listeners: [listener],
      worker_log_config: `${folder}/${name}.log.yaml`,
      pid_file: `${folder}/${name}.pid`,
    };
    await writeFile(join(folder, `${name}.yaml`), JSON.stringify(config));
    // which process has which job is told at DEBUG
    const loggers = { "synapse.media.url_previewer": { level: "DEBUG" } };
    const logYaml = { ...logConfig(join(folder, `${name}.log`)), loggers };
    await writeFile(join(folder, `${name}.log.yaml`), JSON.stringify(logYaml));
    const output = await open(join(folder, `${name}.output`), "a");
    const files = ["-c", "homeserver.yaml", "-c", `${name}.yaml`];
    const child = spawn(await synapsePython(), ["-m", "synapse.app.generic_worker", ...files], {
      cwd: folder,
      env: { ...process.env, ...variables },
      stdio: ["ignore", output.fd, output.fd],
    });
    await output.close();
    const worker = new MediaWorker(name, folder, port, child);
    const answers = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`${name} stopped:\n${await worker.log()}`);
      return fetch(`${worker.base}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    };
    try {
      await waitUntil(`${name} answers`, answers, 120_000);
    } catch (error) {
      await worker.stop();
      throw error;
    }
    return worker;
  }

  /** The same user, asking this process. */
  as(user: MatrixUser): MatrixUser {
    return new MatrixUser(this.base, user.token, user.id);
  }

  async log(): Promise<string> {
    const paths = ["log", "output"].map((end) => join(this.#folder, `${this.name}.${end}`));
    const texts = paths.map(async (path) => readFile(path, "utf8").catch(() => ""));
    return (await Promise.all(texts)).join("\n");
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(killer);
  }
}
