import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServiceManagerAddress } from "../daemon/service-manager.ts";
import { homeDirectory } from "../posix/home-directory.ts";
import type { CommandContext } from "./command-context.ts";
import { isJournal } from "./log-destination.ts";

const daemonFlags = [
  // V8 grows its nurseries to 3 x 16 MiB while modules load and seldom gives them back: 15 MiB of an idle daemon
  "--max-semi-space-size=1",
  // else garbage may be several times what is alive: a crawl of 200,000 objects took 176 MiB, one of 150,000 101 MiB with this
  "--heap-growing-percent=100",
];

/** The context of the process we are. */
export async function processContext(): Promise<CommandContext> {
  const uid = process.geteuid?.() ?? 0;
  // mount(8) and systemd may leave none, and umount, logger and mount have to be found
  process.env["PATH"] ||= "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const variables = process.env;
  return {
    environment: {
      variables,
      uid,
      gid: process.getegid?.() ?? 0,
      directory: process.cwd(),
      homeDirectory: homeDirectory(),
      isGoofys: basename(process.argv[1] ?? "") === "goofys",
    },
    version: await packageVersion(),
    runtimeDirectories: runtimeDirectories(uid, variables),
    seesUsers: uid === 0 && (variables["PAILFS_RUNTIME_DIR"] ?? "") === "",
    self: [
      process.execPath,
      ...daemonFlags,
      fileURLToPath(new URL("../../bin/pailfs.js", import.meta.url)),
    ],
    serviceManager: serviceManager(variables),
    isJournal: isJournal(variables["JOURNAL_STREAM"]),
    isTerminal: process.stderr.isTTY,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    interruptible,
  };
}

// taken out of the environment: a child that knew of it could speak for us
function serviceManager(
  variables: Record<string, string | undefined>,
): ServiceManagerAddress | undefined {
  const { NOTIFY_SOCKET: socketPath, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = variables;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete variables[name];
  if (socketPath === undefined || socketPath === "") return undefined;
  const isOurs = pid === undefined || Number(pid) === process.pid;
  const watchdogMs = isOurs && Number(usec) > 0 ? Number(usec) / 1000 : undefined;
  return { socketPath, watchdogMs };
}

async function packageVersion(): Promise<string> {
  const path = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
  return version;
}

function runtimeDirectories(
  uid: number,
  variables: Readonly<Record<string, string | undefined>>,
): string[] {
  const asked = variables["PAILFS_RUNTIME_DIR"];
  if (asked !== undefined && asked !== "") return [asked];
  const own = variables["XDG_RUNTIME_DIR"];
  const user = uid === 0 || own === undefined || own === "" ? [] : [join(own, "pailfs")];
  return ["/run/pailfs", ...user, join(tmpdir(), `pailfs-${uid}`)];
}

let interrupt: AbortController | undefined;

function interruptible(): AbortSignal {
  if (interrupt === undefined) {
    const controller = new AbortController();
    process.on("SIGINT", () => controller.abort());
    process.on("SIGTERM", () => controller.abort());
    interrupt = controller;
  }
  return interrupt.signal;
}
