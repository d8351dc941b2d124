// A PostgreSQL of Debian for one test, without a network: its users come through a socket in its folder.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, chown, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { waitUntil } from "../mount/wait-until.ts";

const run = promisify(execFile);
/** It refuses to be root. */
const USER = "postgres";
const identity = ["--reuid", USER, "--regid", USER, "--init-groups"];
/** Nothing of it outlives the test. */
const careless = ["fsync", "synchronous_commit", "full_page_writes"].map((name) => `${name}=off`);

/** The folder of its programs, of the newest version that is there; "" where there is none. */
function postgresPrograms(): string {
  const top = "/usr/lib/postgresql";
  const versions = existsSync(top) ? readdirSync(top).map(Number) : [];
  const folders = versions.toSorted((a, b) => b - a).map((version) => `${top}/${version}/bin`);
  return folders.find((folder) => existsSync(join(folder, "initdb"))) ?? "";
}

/** Whether tests of it run: in CI they do, and fail where it is missing. */
export function hasPostgres(): boolean {
  return process.env["CI"] === "true" || postgresPrograms() !== "";
}

export class Postgres {
  /** Of its socket: what libpq takes as a host. */
  readonly folder: string;
  readonly user = USER;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder;
    this.#child = child;
  }

  /** An empty one, with everything of it in `folder`, which is made in a directory that all may enter. */
  static async start(folder: string): Promise<Postgres> {
    const programs = postgresPrograms();
    if (programs === "") throw new Error("PostgreSQL is not installed: scripts/test does it");
    await mkdir(folder);
    const { stdout } = await run("id", ["-u", USER]);
    await chown(folder, Number(stdout), -1);
    await chmod(folder, 0o755);
    const data = join(folder, "data");
    const make = [
      join(programs, "initdb"),
      "--no-sync",
      "--locale=C",
      "--encoding=UTF8",
      "--auth=trust",
    ];
    await run("setpriv", [...identity, ...make, "-D", data], { cwd: "/", timeout: 120_000 });
    const output = await open(join(folder, "output"), "a");
    const settings = [...careless, "listen_addresses=", `unix_socket_directories=${folder}`];
    const words = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
    // no shell in between: the signal has to come to it
    const child = spawn("setpriv", [...identity, join(programs, "postgres"), ...words], {
      cwd: "/",
      stdio: ["ignore", output.fd, output.fd],
    });
    await output.close();
    const postgres = new Postgres(folder, child);
    await waitUntil(
      "PostgreSQL answers",
      async () => {
        if (child.exitCode !== null)
          throw new Error(await readFile(join(folder, "output"), "utf8"));
        return postgres.query("SELECT 1").then(
          () => true,
          () => false,
        );
      },
      60_000,
    );
    return postgres;
  }

  async createDatabase(name: string): Promise<void> {
    await this.query(`CREATE DATABASE ${name}`);
  }

  /** Runs a statement; resolves to the rows, columns with "|" between them. */
  async query(statement: string, database = "postgres"): Promise<string[]> {
    const words = [
      "-h",
      this.folder,
      "-U",
      USER,
      "-d",
      database,
      "-X",
      "-A",
      "-t",
      "-c",
      statement,
    ];
    const psql = join(postgresPrograms(), "psql");
    const { stdout } = await run(psql, words, { cwd: "/", timeout: 60_000 });
    return stdout.split("\n").filter((line) => line !== "");
  }

  /** Ends it at once. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    // "immediate shutdown": its children end too
    this.#child.kill("SIGQUIT");
    await gone;
  }
}
