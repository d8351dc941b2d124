// A dockerd of the test's own, with a loopback S3 and the plugin beside it. Images come from Debian's busybox: nothing is
// pulled.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { BucketServer, keysFile } from "../boot/bucket-server.ts";
import { waitUntil } from "../mount/wait-until.ts";
import { type Ended, runToEnd } from "../run-to-end.ts";

const exec = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;
const COMMAND_MS = 150_000;

export class DockerHost {
  readonly folder: string;
  readonly s3: BucketServer;
  /** What volumes name as their driver. */
  readonly driver = `pailfs-test-${process.pid}`;
  #dockerd: ChildProcess | undefined;
  #plugin: ChildProcess | undefined;

  private constructor(folder: string, s3: BucketServer) {
    this.folder = folder;
    this.s3 = s3;
  }

  static async start(): Promise<DockerHost> {
    const { path } = await dir({ prefix: "pailfs-docker-" });
    await mkdir(join(path, "bucket"));
    const host = new DockerHost(path, await BucketServer.start(join(path, "bucket")));
    try {
      await writeFile(join(path, "keys"), keysFile, { mode: 0o600 });
      await writeFile(
        join(path, "docker.yaml"),
        `endpoint: ${host.s3.endpoint}\ncredentials_file: ${path}/keys\ncache_dir: ${path}/cache\n` +
          `state_dir: ${path}/state\nmin_free: 0\n`,
      );
      await host.startPlugin();
      await host.startDockerd();
      await host.#makeImage();
      return host;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  get pluginSocket(): string {
    return `/run/docker/plugins/${this.driver}.sock`;
  }

  get #environment(): Record<string, string | undefined> {
    return {
      ...process.env,
      DOCKER_HOST: `unix://${this.folder}/docker.sock`,
      PAILFS_RUNTIME_DIR: join(this.folder, "run"),
    };
  }

  async startPlugin(...more: string[]): Promise<void> {
    const log = openSync(join(this.folder, "plugin.log"), "a");
    const words = [
      join(top, "bin/docker-volume-pailfs.js"),
      `--socket=${this.pluginSocket}`,
      `--config=${this.folder}/docker.yaml`,
      `--root=${this.folder}/volumes`,
      "--linger=1s",
      ...more,
    ];
    this.#plugin = spawn(process.execPath, words, {
      stdio: ["ignore", log, log],
      env: this.#environment,
    });
    await waitUntil("the plugin listens", async () => answers(this.pluginSocket), 20_000);
  }

  async stopPlugin(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await end(this.#plugin, signal);
    this.#plugin = undefined;
  }

  async startDockerd(): Promise<void> {
    const log = openSync(join(this.folder, "dockerd.log"), "a");
    const { folder } = this;
    // its containerd was killed with it, and may not have been reaped
    await rm(join(folder, "exec/containerd/containerd.pid"), { force: true });
    await rm(join(folder, "dockerd.pid"), { force: true });
    const words = ["--iptables=false", "--ip6tables=false", "--bridge=none"].concat(
      [`--data-root=${folder}/data`, `--exec-root=${folder}/exec`],
      [`--pidfile=${folder}/dockerd.pid`, `--host=unix://${folder}/docker.sock`],
    );
    const dockerd = spawn("dockerd", words, { stdio: ["ignore", log, log] });
    this.#dockerd = dockerd;
    await waitUntil(
      "dockerd answers",
      async () => {
        if (dockerd.exitCode !== null) throw new Error(`dockerd: ${await this.#tail("dockerd")}`);
        return (await this.run("version")).code === 0;
      },
      60_000,
    );
  }

  async stopDockerd(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await end(this.#dockerd, signal);
    this.#dockerd = undefined;
  }

  /** Runs the docker command; never rejects. */
  async run(...words: string[]): Promise<Ended> {
    return this.command("docker", ...words);
  }

  /** Runs a command with this dockerd as its own; never rejects. */
  async command(program: string, ...words: string[]): Promise<Ended> {
    return runToEnd(program, words, { timeout: COMMAND_MS, env: this.#environment });
  }

  /** Runs a script of this checkout that has to succeed. */
  async script(path: string, ...words: string[]): Promise<void> {
    const options = { timeout: 500_000, env: this.#environment, maxBuffer: 2 ** 24 };
    await exec(join(top, path), words, options);
  }

  /** Runs a docker command that has to succeed; resolves to its output without the last line break. */
  async must(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...words);
    if (code === 0) return stdout.trimEnd();
    const logs = `${await this.#tail("plugin")}\n${await this.#tail("dockerd")}`;
    throw new Error(`docker ${words.join(" ")} ended with ${code}: ${stderr}${stdout}\n${logs}`);
  }

  /** Runs a shell command in a new container with a volume at /data. */
  async inContainer(volume: string, command: string): Promise<string> {
    const words = ["--rm", "--network=none", "-v", `${volume}:/data:nocopy`, "test:image"];
    return this.must("run", ...words, "sh", "-c", command);
  }

  /** Starts a container that stays, with a volume at /data. */
  async startContainer(name: string, volume: string, ...words: string[]): Promise<void> {
    const where = [
      "-d",
      "--name",
      name,
      "--stop-timeout=1",
      "--network=none",
      "-v",
      `${volume}:/data:nocopy`,
    ];
    await this.must("run", ...where, ...words, "test:image", "sleep", "3600");
  }

  /** Ends everything that was started, and leaves no mount. */
  async stop(): Promise<void> {
    const { stdout } = this.#dockerd ? await this.run("ps", "-aq") : { stdout: "" };
    const left = stdout.split("\n").filter((id) => id !== "");
    if (left.length > 0) await this.run("rm", "-f", ...left);
    await this.stopDockerd();
    await this.stopPlugin();
    const table = await readFile("/proc/self/mounts", "utf8");
    const mounts = table.split("\n").map((line) => line.split(" ")[1] ?? "");
    for (const place of mounts.filter((at) => at.startsWith(`${this.folder}/`)).toReversed()) {
      await exec("umount", ["-l", place]).catch(() => undefined);
    }
    await this.s3.stop();
    // a daemon with uploads that wait would go on for ever
    await endDaemons(join(this.folder, "run"));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  async #makeImage(): Promise<void> {
    const image = join(this.folder, "image");
    await mkdir(join(image, "bin"), { recursive: true });
    await mkdir(join(image, "seeded"));
    await writeFile(join(image, "seeded/from-image"), "image\n");
    await copyFile("/bin/busybox", join(image, "bin/busybox"));
    for (const name of [
      "sh",
      "ls",
      "cat",
      "sleep",
      "id",
      "touch",
      "rm",
      "stat",
      "md5sum",
      "dd",
      "mkdir",
    ]) {
      await symlink("busybox", join(image, "bin", name));
    }
    await exec("tar", ["-C", image, "-cf", join(this.folder, "image.tar"), "."]);
    await this.must("import", join(this.folder, "image.tar"), "test:image");
  }

  async #tail(name: string): Promise<string> {
    const text = await readFile(join(this.folder, `${name}.log`), "utf8").catch(() => "");
    return text.split("\n").slice(-15).join("\n");
  }
}

async function endDaemons(records: string): Promise<void> {
  const { stdout } = await exec("sh", ["-c", `cat ${records}/*.json 2>/dev/null || true`]);
  for (const [, pid] of stdout.matchAll(/"pid":(\d+)/g)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // gone
    }
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  await gone;
  clearTimeout(timer);
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
