// A Debian that boots with its own systemd: systemd-nspawn on a copy of a root, with this checkout at /opt/pailfs and the
// loopback of the host, where the S3 is.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { waitUntil } from "../mount/wait-until.ts";
import { type Ended, runToEnd } from "../run-to-end.ts";
import { debianRoot, type Suite } from "./debian-root.ts";

const exec = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;
const COMMAND_MS = 60_000;

export class Machine {
  /** Of the machine, as seen from here. */
  readonly root: string;
  /** For what the test keeps beside the machine. */
  readonly folder: string;
  readonly #binds: string[] = [];
  #nspawn: ChildProcess | undefined;
  #leader = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.root = join(folder, "root");
  }

  /** A machine that is off, with pailfs's helpers and unit installed. */
  static async make(suite: Suite): Promise<Machine> {
    const { path } = await dir({ prefix: "pailfs-boot-" });
    // users of the machine have to get through it
    await chmod(path, 0o755);
    const machine = new Machine(path);
    try {
      await exec("cp", ["-a", "--reflink=auto", await debianRoot(suite), machine.root]);
      await machine.boot();
      await machine.must("node /opt/pailfs/bin/pailfs.js install-helpers --systemd --goofys");
      await machine.poweroff();
      return machine;
    } catch (error) {
      await machine.remove();
      throw error;
    }
  }

  /** Shows a folder of the host in the machine, read-only, from the next boot on. */
  bind(folder: string, place: string): void {
    this.#binds.push(`--bind-ro=${folder}:${place}`);
  }

  /** Puts a file into the machine; its folders are made. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const target = join(this.root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
    await chmod(target, mode);
  }

  /** Boots, and resolves to what `systemctl is-system-running` says when it is up. */
  async boot(): Promise<string> {
    const fixed = [
      "--register=no",
      "--keep-unit",
      `--machine=pailfs-${process.pid}`,
      "--console=pipe",
      "--quiet",
    ];
    const share = [
      "--bind=/dev/fuse",
      `--bind-ro=${top}:/opt/pailfs`,
      `--bind-ro=${process.execPath}:/usr/bin/node`,
    ];
    const words = ["systemd.unit=multi-user.target"];
    const argv = ["-D", this.root, ...fixed, ...share, ...this.#binds, "-b", ...words];
    // of its own session: signals for the test runner must not power it off
    const nspawn = spawn("systemd-nspawn", argv, { detached: true, stdio: "ignore" });
    this.#nspawn = nspawn;
    let state = "";
    await waitUntil(
      "the machine is up",
      async () => {
        if (nspawn.exitCode !== null) throw new Error(`nspawn ended with ${nspawn.exitCode}`);
        this.#leader = await onlyChild(nspawn.pid);
        if (this.#leader === 0) return false;
        state = (await this.run("systemctl is-system-running")).stdout.trim();
        return ["running", "degraded", "maintenance"].includes(state);
      },
      60_000,
    );
    return state;
  }

  /** Runs a shell command in the machine; never rejects. */
  async run(command: string): Promise<Ended> {
    const places = ["-t", `${this.#leader}`, "-m", "-u", "-i", "-n", "-p", "-C"];
    const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
    const options = { timeout: COMMAND_MS, env, maxBuffer: 2 ** 24 };
    return runToEnd("nsenter", [...places, "sh", "-c", command], options);
  }

  /** Runs a shell command that has to succeed; resolves to its output without the last line break. */
  async must(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(command);
    if (code === 0) return stdout.trimEnd();
    const { stdout: journal } = await this.run("journalctl -b -n 25 --no-pager -o short");
    throw new Error(`${command} ended with ${code}: ${stderr}${stdout}\n${journal}`);
  }

  /** One property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    return this.must(`systemctl show -p ${name} --value ${unit}`);
  }

  async isMounted(path: string): Promise<boolean> {
    return (await this.run(`mountpoint -q ${path}`)).code === 0;
  }

  /** The journal of a unit in this boot. */
  async journal(unit: string): Promise<string> {
    return this.must(`journalctl -b -o cat -u ${unit}`);
  }

  /** Goes down as an administrator would have it. */
  async poweroff(): Promise<void> {
    await this.run("systemctl poweroff");
    await this.#ended(180_000);
  }

  /** The power goes. */
  async cut(): Promise<void> {
    if (this.#nspawn === undefined) return;
    if (this.#leader > 0) kill(this.#leader);
    await this.#ended(20_000);
  }

  async remove(): Promise<void> {
    await this.cut().catch(() => this.#nspawn?.kill("SIGKILL"));
    // mount points are immutable
    await exec("chattr", [
      "-R",
      "-f",
      "-i",
      join(this.root, "srv"),
      join(this.root, "var/lib"),
    ]).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }

  async #ended(ms: number): Promise<void> {
    const nspawn = this.#nspawn;
    if (nspawn === undefined) return;
    const isGone = (): boolean => nspawn.exitCode !== null || nspawn.signalCode !== null;
    await waitUntil("the machine is off", isGone, ms);
    this.#nspawn = undefined;
    this.#leader = 0;
  }
}

async function onlyChild(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return Number(text.split(" ")[0] ?? 0);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone
  }
}
