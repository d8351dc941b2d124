// What systemd is told of one mount: ready, alive, how it goes, and that stopping may take longer (sd_notify(3)).
import { statfs } from "node:fs/promises";
import type { DaemonLife } from "./daemon-life.ts";
import { type Notify, openNotifySocket } from "./notify-socket.ts";

/** Where a service manager listens. */
export interface ServiceManagerAddress {
  /** NOTIFY_SOCKET. */
  readonly socketPath: string;
  /** How long it waits for a sign of life before it ends us, in ms; undefined: for ever. */
  readonly watchdogMs: number | undefined;
}

/** Between two looks at the state, in ms. */
const LOOK_MS = 2000;
/** A mount that is in use may hold up its end so long by itself, in ms; then the limit of the unit counts. */
const BUSY_MS = 30_000;

/** Says that a mount is ready; from then on the service manager hears of it until its end. Never rejects. */
export async function tellServiceManager(
  life: DaemonLife,
  mountpoint: string,
  { socketPath, watchdogMs }: ServiceManagerAddress,
): Promise<void> {
  await reportLife(life, mountpoint, await openNotifySocket(socketPath), watchdogMs);
}

/** As tellServiceManager(), by a way of the caller's. */
export async function reportLife(
  life: DaemonLife,
  mountpoint: string,
  notify: Notify,
  watchdogMs: number | undefined,
  lookMs = LOOK_MS,
): Promise<void> {
  const reporter = new Reporter(life, notify);
  await notify({ READY: "1", STATUS: reporter.statusText(), MAINPID: `${process.pid}` });
  const timers = [setInterval(() => reporter.look(), lookMs)];
  if (watchdogMs !== undefined) {
    const watchdog = new Watchdog(life, mountpoint, notify);
    timers.push(setInterval(() => watchdog.check(), watchdogMs / 2.5));
  }
  void life.ended.then(() => {
    for (const timer of timers) clearInterval(timer);
    return notify({ STOPPING: "1", STATUS: `stopped, ${life.left} left in the journal` });
  });
}

class Reporter {
  readonly #life: DaemonLife;
  readonly #notify: Notify;
  #told = "";
  #stoppingMs: number | undefined;

  constructor(life: DaemonLife, notify: Notify) {
    this.#life = life;
    this.#notify = notify;
  }

  /** Tells what changed. */
  look(): void {
    const status = this.statusText();
    if (status !== this.#told) void this.#notify({ STATUS: status });
    this.#told = status;
    const { phase } = this.#life;
    if (phase === "serving") return;
    if (this.#stoppingMs === undefined) void this.#notify({ STOPPING: "1" });
    this.#stoppingMs ??= Date.now();
    // a drain ends by itself when S3 takes nothing; systemd's limit starts anew with each extension
    const mayLast = phase === "draining" || Date.now() - this.#stoppingMs < BUSY_MS;
    if (mayLast) void this.#notify({ EXTEND_TIMEOUT_USEC: "10000000" });
  }

  statusText(): string {
    const { phase, mount } = this.#life;
    const { length, bytes, lastError } = mount.status().queue;
    const words = { serving: "mounted", unmounting: "unmounting", draining: "uploading" }[phase];
    const queue = length === 0 ? "queue empty" : `${length} to upload (${bytes} bytes)`;
    return `${words}, ${queue}${lastError === undefined ? "" : `; ${lastError.message}`}`;
  }
}

/** Gives signs of life as long as the mount answers; trouble with S3 is none of its business, as no restart mends that. */
class Watchdog {
  readonly #life: DaemonLife;
  readonly #mountpoint: string;
  readonly #notify: Notify;
  #isAsking = false;

  constructor(life: DaemonLife, mountpoint: string, notify: Notify) {
    this.#life = life;
    this.#mountpoint = mountpoint;
    this.#notify = notify;
  }

  check(): void {
    // a question that hangs holds one thread and is not asked twice
    if (this.#isAsking) return;
    this.#isAsking = true;
    void this.#ask().finally(() => (this.#isAsking = false));
  }

  async #ask(): Promise<void> {
    // asynchronous: this process answers. What is no longer in the tree cannot be asked by its path
    if (this.#life.phase === "serving") await statfs(this.#mountpoint).catch(() => undefined);
    await this.#notify({ WATCHDOG: "1" });
  }
}
