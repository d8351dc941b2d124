// A daemon in this process: its log, its signals, its last words.
import { cycleLogLevel, log, setLogLevel } from "../log.ts";
import type { DaemonStart } from "./daemon-start.ts";
import { type LogTarget, openLogTarget } from "./log-target.ts";
import type { DaemonParts } from "./mount-contract.ts";
import { type RunningDaemon, startDaemon } from "./run-daemon.ts";
import { StartError } from "./start-error.ts";

/** The part of `process` that signals and errors come from. */
export interface SignalSource {
  on(event: string, listener: (...given: unknown[]) => void): unknown;
  off(event: string, listener: (...given: unknown[]) => void): unknown;
}

export interface DaemonProcess {
  /** What whoever mounted should hear though the mount is there. */
  readonly warning: string | undefined;
  /** Resolves when the mount has ended and the log was written; handlers are gone then. */
  readonly finished: Promise<void>;
}

/** Starts a mount and ties it to signals; resolves once it answers, rejects with StartError. */
export async function runDaemonProcess(
  start: DaemonStart,
  parts: DaemonParts,
  source: SignalSource = process as SignalSource,
): Promise<DaemonProcess> {
  setLogLevel(start.options.log.level);
  // libraries write there too, and a disk without room is no reason to stop
  process.stderr.on("error", () => undefined);
  const target = openLogTarget(start.logTo);
  const signals = new SignalRoutes(target);
  signals.attach(source);
  try {
    const daemon = await startDaemon(start.options, parts, start);
    signals.daemonStarted(daemon);
    return {
      warning: daemon.warning,
      finished: daemon.finished.then(async () => signals.detach(source, target)),
    };
  } catch (error) {
    await signals.detach(source, target);
    throw error;
  }
}

class SignalRoutes {
  #daemon: RunningDaemon | undefined;
  #stopAsked = false;
  readonly #routes: ReadonlyMap<string, (...given: unknown[]) => void>;

  constructor(target: LogTarget) {
    const stop = (): void => this.#stop();
    // SIGUSR1 is left alone: it is Node's own, and opens the inspector
    this.#routes = new Map<string, (...given: unknown[]) => void>([
      ["SIGTERM", stop],
      ["SIGINT", stop],
      [
        "SIGHUP",
        () => {
          target.reopen();
          this.#daemon?.refresh();
        },
      ],
      ["SIGUSR2", () => log.error("log level is now %s", cycleLogLevel())],
      [
        // a bug in one operation must not take the mount from everyone else
        "unhandledRejection",
        (reason) => log.error("unhandled rejection: %s", stackOf(reason)),
      ],
      [
        "uncaughtException",
        (error) => {
          log.error("uncaught exception, stopping: %s", stackOf(error));
          this.#stop();
        },
      ],
    ]);
  }

  attach(source: SignalSource): void {
    for (const [event, listener] of this.#routes) source.on(event, listener);
  }

  async detach(source: SignalSource, target: LogTarget): Promise<void> {
    for (const [event, listener] of this.#routes) source.off(event, listener);
    await target.close();
  }

  /** Takes over signals that came while the mount was starting. */
  daemonStarted(daemon: RunningDaemon): void {
    this.#daemon = daemon;
    if (this.#stopAsked) daemon.stop();
  }

  #stop(): void {
    this.#stopAsked = true;
    this.#daemon?.stop();
  }
}

function stackOf(error: unknown): string {
  if (error instanceof StartError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
