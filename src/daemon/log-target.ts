// Where a daemon's log lines go.
import { spawn } from "node:child_process";
import { type WriteStream, createWriteStream } from "node:fs";
import { log, setLogSink } from "../log.ts";

/** Decided by the process that was called; `fallback` is a file for when there is no syslog. */
export type LogDestination =
  | { readonly kind: "stderr"; readonly style: "plain" | "journal" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "syslog"; readonly tag: string; readonly fallback: string };

export interface LogTarget {
  /** Opens a file again after it was rotated. */
  reopen(): void;
  close(): Promise<void>;
}

/** Makes `log` write to a destination. Trouble with it never reaches the caller: lines are lost, or go to the fallback. */
export function openLogTarget(destination: LogDestination): LogTarget {
  if (destination.kind === "file") return openFile(destination.path);
  if (destination.kind === "syslog") return openSyslog(destination.tag, destination.fallback);
  // a journal that went away at shutdown: as an exception it would be logged, which fails again, for ever
  process.stderr.on("error", () => undefined);
  setLogSink((line) => process.stderr.write(line), destination.style);
  return { reopen: () => undefined, close: async () => undefined };
}

function openFile(path: string): LogTarget {
  let stream = append(path);
  setLogSink((line) => stream.write(line), "plain");
  return {
    reopen: () => {
      const rotated = stream;
      stream = append(path);
      rotated.end();
    },
    close: async () => end(stream),
  };
}

function append(path: string): WriteStream {
  const stream = createWriteStream(path, { flags: "a", mode: 0o640 });
  stream.on("error", () => undefined);
  return stream;
}

// Node has no datagram sockets of the unix kind, so logger(1) speaks to syslog for us
function openSyslog(tag: string, fallback: string): LogTarget {
  let target: LogTarget = { reopen: () => undefined, close: async () => undefined };
  const useFallback = (): void => {
    target = openFile(fallback);
  };
  const logger = spawn("logger", ["--tag", tag, `--id=${process.pid}`, "--prio-prefix"], {
    stdio: ["pipe", "ignore", "ignore"],
    // not in our process group: a Ctrl-C that stops us must not take the log away first
    detached: true,
  });
  logger.unref();
  logger.once("error", useFallback);
  logger.once("exit", (code) => {
    useFallback();
    if (code !== 0) log.warn("logger(1) ended with status %s: logging to %s", code, fallback);
  });
  logger.stdin.on("error", () => undefined);
  setLogSink((line) => logger.stdin.write(line), "journal");
  return {
    reopen: () => target.reopen(),
    close: async () => {
      logger.removeAllListeners("exit");
      await new Promise<void>((resolve) => {
        logger.stdin.end(resolve);
        logger.stdin.once("error", () => resolve());
      });
      await target.close();
    },
  };
}

async function end(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("error", () => resolve());
    stream.end(() => resolve());
  });
}
