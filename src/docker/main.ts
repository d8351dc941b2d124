// The plugin's process: settings, environment, signals, and what systemd is told.
import { readFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDirectory } from "../daemon/make-directory.ts";
import { openNotifySocket } from "../daemon/notify-socket.ts";
import { StartError } from "../daemon/start-error.ts";
import { log, setLogLevel } from "../log.ts";
import { OptionError } from "../options/option-error.ts";
import { IdleMounts } from "./idle-mounts.ts";
import { type PluginSettings, pluginSettings, usage } from "./plugin-settings.ts";
import { RemovedVolumes } from "./removed-volumes.ts";
import { SerialQueue } from "./serial-queue.ts";
import { LocalHost, type VolumeHost } from "./volume-host.ts";
import { serveVolumes } from "./volume-server.ts";
import { VolumeStore } from "./volume-store.ts";
import { Volumes } from "./volumes.ts";

type Variables = Record<string, string | undefined>;

// sd_listen_fds(3): the first descriptor that is handed over
const LISTEN_FD = 3;
// a plugin in a container of its own has 10 s from SIGTERM to SIGKILL
const STOP_MS = 8000;

/** Runs this process as the plugin; never rejects. */
export async function main(): Promise<void> {
  const variables: Variables = process.env;
  variables["PATH"] ||= "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  try {
    const settings = await pluginSettings(process.argv.slice(2), hasSocket(variables));
    if (settings === "help") process.stdout.write(usage);
    else if (settings === "version") process.stdout.write(`${await packageVersion()}\n`);
    else await run(settings, variables);
  } catch (error) {
    const isTold = error instanceof OptionError || error instanceof StartError;
    const reason = isTold ? error.message : error instanceof Error ? error.stack : error;
    process.stderr.write(`docker-volume-pailfs: ${String(reason)}\n`);
    // as the commands have it: systemd does not try again what no restart mends
    process.exitCode = error instanceof OptionError ? 2 : isTold ? 78 : 1;
  }
}

async function run(settings: PluginSettings, variables: Variables): Promise<void> {
  setLogLevel(settings.logLevel);
  const { NOTIFY_SOCKET: notifyPath } = variables;
  const host = new LocalHost(settings, environmentOf(variables), {
    command: [process.execPath, fileURLToPath(new URL("../../bin/pailfs.js", import.meta.url))],
    variables: forDaemons(variables),
    runtimeDirectories: runtimeDirectories(variables),
  });
  await makeDirectory(settings.mounts, 0o700);
  const store = await VolumeStore.open(settings.root);
  const serial = new SerialQueue();
  const removed = new RemovedVolumes(host, store);
  const idle = new IdleMounts({ host, store, serial, removed, lingerMs: settings.lingerMs });
  const volumes = new Volumes({
    host,
    store,
    serial,
    idle,
    removed,
    waitMs: settings.unmountWaitMs,
  });
  const place = settings.socket === undefined ? { fd: LISTEN_FD } : { path: settings.socket };
  // listening comes first: dockerd disables a plugin that is slow to answer
  const server = await serveVolumes(volumes, place);
  log.info("%d volumes, listening at %s", store.records.length, settings.socket ?? "the socket");
  await volumes.resume();
  if (notifyPath !== undefined && notifyPath !== "") {
    const notify = await openNotifySocket(notifyPath);
    await notify({ READY: "1", STATUS: "listening" });
  }
  await untilSignalled();
  await server.close();
  idle.stop();
  removed.stop();
  if (settings.unmountAtStop) await unmountAll(host, store);
  log.info("stopped%s", settings.unmountAtStop ? "" : ", mounts stay");
  // waits for calls under way would hold us up, and dockerd is not listening any more
  process.exit(0);
}

// in their own time; what is not uploaded is in journals, which the next start goes on with
async function unmountAll(host: VolumeHost, store: VolumeStore): Promise<void> {
  const signal = AbortSignal.timeout(STOP_MS);
  await Promise.all(
    store.records.map(async ({ name }) => {
      const daemon = host.daemonOf(name);
      if (await daemon.isListed()) await daemon.unmount(true, signal).catch(() => undefined);
    }),
  );
}

async function untilSignalled(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.on("SIGTERM", () => resolve());
    process.on("SIGINT", () => resolve());
    // the default ends the process; defaults of volumes are read anew for each mount anyway
    process.on("SIGHUP", () => log.info("nothing to reload"));
    process.on("unhandledRejection", (reason) => log.error("unhandled rejection: %s", reason));
  });
}

function hasSocket(variables: Variables): boolean {
  const { LISTEN_FDS: count, LISTEN_PID: pid } = variables;
  return Number(count) > 0 && (pid === undefined || Number(pid) === process.pid);
}

function environmentOf(variables: Variables) {
  return {
    variables,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    directory: "/",
    homeDirectory: homedir(),
  };
}

// a daemon that knew of these would speak for us
function forDaemons(variables: Variables): Variables {
  const ours = /^(NOTIFY_SOCKET|WATCHDOG_(USEC|PID)|LISTEN_(FDS|PID|FDNAMES)|PAILFS_CONFIG)$/;
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !ours.test(name)));
}

function runtimeDirectories(variables: Variables): string[] {
  const asked = variables["PAILFS_RUNTIME_DIR"];
  if (asked !== undefined && asked !== "") return [asked];
  return ["/run/pailfs", join(tmpdir(), `pailfs-${process.geteuid?.() ?? 0}`)];
}

async function packageVersion(): Promise<string> {
  const path = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
  return version;
}
