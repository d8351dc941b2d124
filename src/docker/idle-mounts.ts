// Mounts that nobody uses: each stays for a while, as a container's start mounts and unmounts more than once, and until
// everything is uploaded. Then it is unmounted, and its volume is settled: nothing waits in its journal.
import { log } from "../log.ts";
import { isIdle } from "./references.ts";
import type { RemovedVolumes } from "./removed-volumes.ts";
import type { SerialQueue } from "./serial-queue.ts";
import type { VolumeHost } from "./volume-host.ts";
import type { VolumeStore } from "./volume-store.ts";

/** Between two looks at what cannot be unmounted or mounted yet, in ms. */
const AGAIN_MS = 20_000;
/** The end of a daemon with an empty queue may take so long, in ms. */
const END_MS = 20_000;

export interface IdleParts {
  readonly host: VolumeHost;
  readonly store: VolumeStore;
  readonly serial: SerialQueue;
  readonly removed: RemovedVolumes;
  readonly lingerMs: number;
}

export class IdleMounts {
  readonly #parts: IdleParts;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(parts: IdleParts) {
    this.#parts = parts;
  }

  /** Unmounts a volume after a while, unless it is used again or cancel() is called. */
  arm(name: string, ms = this.#parts.lingerMs): void {
    this.#later(name, ms, async () => this.#unmountIdle(name));
  }

  cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** Forgets all timers; mounts stay. */
  stop(): void {
    for (const name of this.#timers.keys()) this.cancel(name);
  }

  /** Goes on with a volume whose daemon did not end in order: mounts it, so that its journal is uploaded. */
  resume(name: string, ms = 0): void {
    this.#later(name, ms, async () => {
      try {
        await this.ensureMounted(name);
      } catch (error) {
        log.warn("volume %s cannot be mounted to upload its journal: %s", name, reasonOf(error));
        this.resume(name, AGAIN_MS);
        return;
      }
      this.arm(name);
    });
  }

  /** Mounts a volume unless it is mounted and answers; in the volume's turn only. Rejects with StartError or OptionError. */
  async ensureMounted(name: string): Promise<void> {
    const { host, store, removed } = this.#parts;
    const record = store.find(name);
    if (record === undefined) return;
    const daemon = host.daemonOf(name);
    if (await daemon.isMounted()) return;
    const { options, arguments: words } = await host.resolve(record);
    await removed.untilGone(options.spool.stateDirectory);
    // before: a plugin that dies now has to look at the journal again
    const unsettled = { ...record, isUnsettled: true };
    await store.replace(record, unsettled);
    try {
      await daemon.mount(words);
    } catch (error) {
      await store.replace(unsettled, record);
      throw error;
    }
    log.info("volume %s is mounted on %s", name, daemon.mountpoint);
  }

  async #unmountIdle(name: string): Promise<void> {
    const { host, store } = this.#parts;
    const record = store.find(name);
    if (record === undefined || !isIdle(record.references)) return;
    const daemon = host.daemonOf(name);
    const status = await daemon.status();
    if ((status?.queue.length ?? 0) > 0) {
      // a mount can be used again at once, a daemon that drains cannot
      this.arm(name, AGAIN_MS);
      return;
    }
    try {
      const left = await daemon.unmount(false, AbortSignal.timeout(END_MS));
      if (left > 0) {
        this.resume(name, AGAIN_MS);
        return;
      }
    } catch (error) {
      log.info("volume %s stays mounted: %s", name, reasonOf(error));
      this.arm(name, AGAIN_MS);
      return;
    }
    await daemon.removeDirectory();
    await store.replace(record, { ...record, isUnsettled: false });
    log.info("volume %s is unmounted", name);
  }

  #later(name: string, ms: number, work: () => Promise<void>): void {
    this.cancel(name);
    const timer = setTimeout(() => {
      const isCurrent = (): boolean => this.#timers.get(name) === timer;
      const inTurn = async (): Promise<void> => {
        // cancelled while it waited for its turn
        if (!isCurrent()) return;
        this.#timers.delete(name);
        await work();
      };
      void this.#parts.serial
        .run(name, inTurn)
        .catch((error: unknown) => log.error("volume %s: %s", name, error));
    }, ms);
    this.#timers.set(name, timer);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
