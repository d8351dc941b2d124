// Volumes that were removed while their files were on the way: their daemons go on until the bucket has everything, also
// after a restart of the plugin or the host. Objects are never deleted.
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { StartError } from "../daemon/start-error.ts";
import { log } from "../log.ts";
import type { VolumeHost } from "./volume-host.ts";
import type { VolumeRecord } from "./volume-record.ts";
import type { VolumeStore } from "./volume-store.ts";

/** Between two tries, in ms. */
const AGAIN_MS = 20_000;
/** How long a new volume of the same bucket and prefix waits for the old one, in ms. */
const WAIT_MS = 60_000;

export class RemovedVolumes {
  readonly #host: VolumeHost;
  readonly #store: VolumeStore;
  /** By state folder. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  constructor(host: VolumeHost, store: VolumeStore) {
    this.#host = host;
    this.#store = store;
  }

  /** Unmounts what is left of a removed volume, and drops its record when everything is uploaded; resolves then, never rejects. */
  async follow(record: VolumeRecord): Promise<void> {
    const stop = this.#stop.signal;
    while (!stop.aborted) {
      try {
        if (await this.#end(record)) break;
      } catch (error) {
        log.warn("removed volume %s is not uploaded yet: %s", record.name, reasonOf(error));
      }
      await sleep(AGAIN_MS, undefined, { signal: stop }).catch(() => undefined);
    }
    if (stop.aborted) return;
    await this.#store
      .replace(record, undefined)
      .catch((error: unknown) => log.error("cannot forget %s: %s", record.name, error));
    log.info("removed volume %s is uploaded", record.name);
  }

  /** Resolves when no removed volume uses a state folder; rejects with StartError after a minute. */
  async untilGone(stateDirectory: string): Promise<void> {
    const leaving = this.#leaving.get(stateDirectory);
    if (leaving === undefined) return;
    const late = Symbol("late");
    const outcome = await Promise.race([leaving, sleep(WAIT_MS, late, { ref: false })]);
    if (outcome !== late) return;
    throw new StartError(
      "temporary",
      "Cannot mount: a removed volume of this bucket and prefix is still being uploaded; try again later",
    );
  }

  /** Leaves the rest to the next start. */
  stop(): void {
    this.#stop.abort();
  }

  async #end(record: VolumeRecord): Promise<boolean> {
    const { name, createdMs } = record;
    const hidden = this.#host.mountpointOf(join(".removed", `${createdMs}-${name}`));
    const { options, arguments: words } = await this.#host.resolve(record, hidden);
    const { stateDirectory } = options.spool;
    if (await this.#hasSuccessor(stateDirectory)) return true;
    const daemon = this.#host.daemonOfRemoved(name, hidden, stateDirectory);
    const ending = (async () => {
      const left = await daemon.unmount(true, this.#stop.signal);
      if (left === 0) return true;
      // its daemon is gone before its time
      await daemon.mount(words);
      return (await daemon.unmount(true, this.#stop.signal)) === 0;
    })();
    const settled = ending.then(
      () => undefined,
      () => undefined,
    );
    this.#leaving.set(stateDirectory, settled);
    try {
      return await ending;
    } finally {
      if (this.#leaving.get(stateDirectory) === settled) this.#leaving.delete(stateDirectory);
      await daemon.removeDirectory();
    }
  }

  // a new volume of the same bucket and prefix has been mounted on the same journal
  async #hasSuccessor(stateDirectory: string): Promise<boolean> {
    for (const other of this.#store.records) {
      if (other.isRemoved || !other.isUnsettled) continue;
      const resolved = await this.#host.resolve(other).catch(() => undefined);
      if (resolved?.options.spool.stateDirectory === stateDirectory) return true;
    }
    return false;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
