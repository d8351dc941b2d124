// What the plugin itself is told, beside the options of volumes, which are those of the option table.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { LogLevel } from "../log.ts";
import { OptionError } from "../options/option-error.ts";
import { parseDuration } from "../options/quantity-type.ts";

export interface PluginSettings {
  /** Where to listen; undefined: the socket that systemd has opened. */
  readonly socket: string | undefined;
  /** The file with the defaults of volumes, if there is one. */
  readonly config: string | undefined;
  /** Holds the state file. */
  readonly root: string;
  /** Volumes are mounted below it. */
  readonly mounts: string;
  /** How long a volume that nobody uses stays mounted. */
  readonly lingerMs: number;
  /** How long dockerd's Unmount and Remove wait for uploads. */
  readonly unmountWaitMs: number;
  /** Whether mounts end with the plugin, as in a container of its own. */
  readonly unmountAtStop: boolean;
  readonly logLevel: LogLevel;
}

/** Where dockerd looks for `-d pailfs`. */
export const USUAL_SOCKET = "/run/docker/plugins/pailfs.sock";
const USUAL_CONFIG = "/etc/pailfs/docker.yaml";
const USUAL_ROOT = "/var/lib/pailfs-volumes";
// dockerd gives up after 60 s
const MOST_WAIT_MS = 50_000;
const levels = ["error", "warn", "info", "debug", "trace"] as const;

export const usage = `Usage: docker-volume-pailfs [options]
Volumes of Docker in S3 buckets: docker volume create -d pailfs -o bucket=BUCKET NAME

  --socket PATH        where to listen [${USUAL_SOCKET}, or the socket of systemd]
  --config PATH        YAML with defaults of volumes' options [${USUAL_CONFIG}]
  --root DIR           where to keep the list of volumes [${USUAL_ROOT}]
  --mounts DIR         where to mount volumes [DIR of --root, then mounts]
  --linger TIME        how long a volume that nobody uses stays mounted [30s]
  --unmount-wait TIME  how long the end of a container waits for uploads, 50s at most [45s]
  --unmount-at-stop    end all mounts with the plugin
  --log-level WORD     ${levels.join(", ")} [info]
  --help, --version
`;

/** Reads a command line; `hasSocket`: systemd has opened one. Rejects with OptionError. */
export async function pluginSettings(
  argv: readonly string[],
  hasSocket: boolean,
): Promise<PluginSettings | "help" | "version"> {
  const values = parse(argv);
  if (values.help === true) return "help";
  if (values.version === true) return "version";
  for (const name of ["socket", "config", "root", "mounts"] as const) {
    const value = values[name];
    if (value === undefined || value.startsWith("/")) continue;
    throw new OptionError(`Cannot use --${name}=${value}: want an absolute path`);
  }
  const { root = USUAL_ROOT, linger = "30s", "log-level": wanted = "info" } = values;
  const { "unmount-wait": unmountWait = "45s" } = values;
  const lingerMs = parseDuration(linger);
  if (lingerMs === undefined) {
    throw new OptionError(`Cannot use --linger=${linger}: want a time such as 30s or 5m`);
  }
  const unmountWaitMs = parseDuration(unmountWait) ?? Infinity;
  if (unmountWaitMs > MOST_WAIT_MS) {
    throw new OptionError(
      `Cannot use --unmount-wait=${unmountWait}: want a time up to ${MOST_WAIT_MS / 1000}s, as dockerd gives up after 60 s`,
    );
  }
  const logLevel = levels.find((level) => level === wanted);
  if (logLevel === undefined) {
    throw new OptionError(`Cannot use --log-level=${wanted}: want one of ${levels.join(", ")}`);
  }
  return {
    socket: values.socket ?? (hasSocket ? undefined : USUAL_SOCKET),
    config: values.config ?? (await ifThere(USUAL_CONFIG)),
    root,
    mounts: values.mounts ?? join(root, "mounts"),
    lingerMs,
    unmountWaitMs,
    unmountAtStop: values["unmount-at-stop"] === true,
    logLevel,
  };
}

function parse(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        socket: text,
        config: text,
        root: text,
        mounts: text,
        linger: text,
        "unmount-wait": text,
        "unmount-at-stop": flag,
        "log-level": text,
        help: { ...flag, short: "h" },
        version: { ...flag, short: "v" },
      },
    }).values;
  } catch (error) {
    const [reason] = (error as Error).message.split(". ");
    throw new OptionError(`${reason}; see docker-volume-pailfs --help`, { cause: error });
  }
}

async function ifThere(path: string): Promise<string | undefined> {
  return access(path).then(
    () => path,
    () => undefined,
  );
}
