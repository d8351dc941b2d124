// One Synapse process with SQLite, everything but its media in a folder of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { waitUntil } from "../mount/wait-until.ts";
import { tlsCertificate, tlsKey } from "../tls-identity.ts";
import { federatingConfig, logConfig, registrationSecret } from "./homeserver-config.ts";
import { type MatrixUser, registerUser } from "./matrix-user.ts";
import { synapsePython } from "./real-synapse.ts";

const run = promisify(execFile);
const READY_MS = 120_000;

/** What a log of Synapse says when a file operation failed, or something that it did not expect happened. */
const troubleWords = /OSError|Traceback|\[Errno|^\S+ \S+ (ERROR|CRITICAL) /;

export interface HomeserverOptions {
  /** The media store. */
  readonly media: string;
  /** More of homeserver.yaml, or other values. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Python that runs before Synapse's own: what no option changes, such as an interval of an hour. */
  readonly prelude?: string;
  /** How Python is called, where it is not that of Synapse's environment, and its variables. */
  readonly launch?: {
    readonly command?: readonly string[];
    readonly variables?: Readonly<Record<string, string>>;
  };
}

/** A value that SQLite keeps. */
export type SqlValue = string | number | null;

/** Configured once, started as often as wanted. */
export class Homeserver {
  /** `localhost:PORT`, to others. */
  readonly name: string;
  /** URL for clients. */
  readonly base: string;
  readonly folder: string;
  readonly #python: string;
  readonly #config: Record<string, unknown>;
  readonly #prelude: string;
  readonly #launch: NonNullable<HomeserverOptions["launch"]>;
  #process: ChildProcess | undefined;
  #users = 0;

  private constructor(
    folder: string,
    python: string,
    ports: { readonly client: number; readonly federation: number },
    options: HomeserverOptions,
  ) {
    this.folder = folder;
    this.#python = python;
    this.#prelude = options.prelude ?? "";
    this.#launch = options.launch ?? {};
    this.name = `localhost:${ports.federation}`;
    this.base = `http://127.0.0.1:${ports.client}`;
    this.#config = { ...federatingConfig(folder, options.media, ports), ...options.config };
  }

  /** Writes what it needs into `folder`; does not start it. */
  static async make(folder: string, options: HomeserverOptions): Promise<Homeserver> {
    await mkdir(folder, { recursive: true });
    const ports = { client: await freePort(), federation: await freePort() };
    const server = new Homeserver(folder, await synapsePython(), ports, options);
    const seed = randomBytes(32).toString("base64").replace(/=+$/, "");
    await writeFile(join(folder, "signing.key"), `ed25519 a_test ${seed}\n`);
    await writeFile(join(folder, "tls.crt"), tlsCertificate);
    await writeFile(join(folder, "tls.key"), tlsKey);
    await writeFile(join(folder, "log.yaml"), JSON.stringify(logConfig(server.#logPath)));
    return server;
  }

  /** Resolves once it answers; with other values in homeserver.yaml from now on, if given. */
  async start(config: Readonly<Record<string, unknown>> = {}): Promise<void> {
    Object.assign(this.#config, config);
    await writeFile(join(this.folder, "homeserver.yaml"), JSON.stringify(this.#config, null, 2));
    const output = await open(join(this.folder, "output"), "a");
    const program = `${this.#prelude}\nfrom synapse.app.homeserver import main\nmain()`;
    const words = ["-c", program, "-c", "homeserver.yaml"];
    const [command = "", ...first] = this.#launch.command ?? [this.#python];
    const child = spawn(command, [...first, ...words], {
      cwd: this.folder,
      env: { ...process.env, ...this.#launch.variables },
      stdio: ["ignore", output.fd, output.fd],
    });
    await output.close();
    this.#process = child;
    await waitUntil(
      "Synapse answers",
      async () => {
        if (hasEnded(child))
          throw new Error(`Synapse stopped at its start:\n${await this.#tail()}`);
        return this.answers();
      },
      READY_MS,
    );
  }

  async answers(): Promise<boolean> {
    return fetch(`${this.base}/_matrix/client/versions`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Of its process, while it runs. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Ends it as a service manager does. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    const killer = setTimeout(() => child.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(killer);
  }

  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /** A new user of any name. */
  async register({ admin = false } = {}): Promise<MatrixUser> {
    const name = `user${++this.#users}`;
    return registerUser(this.base, registrationSecret, name, admin);
  }

  /** Runs one statement on its database, from outside; resolves to the rows. */
  async sql(statement: string, ...values: SqlValue[]): Promise<SqlValue[][]> {
    const words = [join(this.folder, "homeserver.db"), statement, JSON.stringify(values)];
    const { stdout } = await run(this.#python, ["-c", sqlProgram, ...words], { timeout: 60_000 });
    return JSON.parse(stdout) as SqlValue[][];
  }

  /** Resolves once the query finds nothing. */
  async untilNoRows(query: string, ...values: SqlValue[]): Promise<void> {
    const isEmpty = async (): Promise<boolean> => {
      if ((await this.sql(query, ...values)).length === 0) return true;
      // each look is a process
      await sleep(200);
      return false;
    };
    await waitUntil(`no rows: ${query}`, isEmpty, 90_000);
  }

  /** All that it has logged and printed. */
  async log(): Promise<string> {
    const paths = [this.#logPath, join(this.folder, "output")];
    const texts = paths.map(async (path) => readFile(path, "utf8").catch(() => ""));
    return (await Promise.all(texts)).join("\n");
  }

  /** Lines of its log that speak of trouble, but for those that match one of `expected`. */
  async trouble(...expected: RegExp[]): Promise<string[]> {
    const lines = (await this.log()).split("\n").filter((line) => troubleWords.test(line));
    return lines.filter((line) => !expected.some((pattern) => pattern.test(line)));
  }

  get #logPath(): string {
    return join(this.folder, "synapse.log");
  }

  async #tail(): Promise<string> {
    return (await this.log()).split("\n").slice(-30).join("\n");
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

const sqlProgram = `
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30)
with database:
    rows = database.execute(sys.argv[2], json.loads(sys.argv[3])).fetchall()
print(json.dumps(rows))
`;
