// The volumes of one host: what dockerd asks for, on records and daemons. Calls for one volume are answered one after the
// other. No call touches S3 but a mount, and none touches a mount that may hang but a mount.
import { checkCredentials } from "../daemon/check-credentials.ts";
import { StartError } from "../daemon/start-error.ts";
import { log } from "../log.ts";
import type { MountOptions } from "../options/mount-options.ts";
import { OptionError } from "../options/option-error.ts";
import type { IdleMounts } from "./idle-mounts.ts";
import { clamped, isIdle, withMount, withUnmount } from "./references.ts";
import type { RemovedVolumes } from "./removed-volumes.ts";
import type { SerialQueue } from "./serial-queue.ts";
import { checkVolumeName } from "./volume-name.ts";
import type { ShownVolume, VolumeCalls } from "./volume-protocol.ts";
import type { VolumeRecord } from "./volume-record.ts";
import { showStatus } from "./volume-status.ts";
import type { VolumeStore } from "./volume-store.ts";
import type { VolumeHost } from "./volume-host.ts";

// S3 that has taken nothing for so long is not waited for: the journal has it all
const FAILING_MS = 5000;

/** What volumes are made of. */
export interface VolumeParts {
  readonly host: VolumeHost;
  readonly store: VolumeStore;
  readonly serial: SerialQueue;
  readonly idle: IdleMounts;
  readonly removed: RemovedVolumes;
  /** How long the last unmount and a removal wait for uploads. */
  readonly waitMs: number;
}

export class Volumes implements VolumeCalls {
  readonly #parts: VolumeParts;

  constructor(parts: VolumeParts) {
    this.#parts = parts;
  }

  /** After a start: goes on with what the state file says; nothing of it is waited for. */
  async resume(): Promise<void> {
    this.activated();
    const { store, idle, removed } = this.#parts;
    for (const record of store.records) {
      // its end is told in the log
      if (record.isRemoved) void removed.follow(record);
      else if (record.isUnsettled) idle.resume(record.name);
    }
  }

  activated(): void {
    const { store, serial } = this.#parts;
    for (const { name } of store.records) {
      const clamp = async (): Promise<void> => {
        const record = store.find(name);
        if (record === undefined || isIdle(record.references)) return;
        await store.replace(record, { ...record, references: clamped(record.references) });
      };
      void serial.run(name, clamp).catch((error: unknown) => log.error("%s: %s", name, error));
    }
  }

  async create(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    checkVolumeName(name);
    const { store, serial, host } = this.#parts;
    await serial.run(name, async () => {
      const known = store.find(name);
      if (known !== undefined) return checkSame(known, options);
      const wish = { name, options };
      const resolved = await host.resolve(wish);
      await checkCredentials(resolved.options, host.environment);
      await this.#checkAlone(name, resolved.options);
      const { source } = resolved.options;
      await store.replace(undefined, {
        ...wish,
        source,
        createdMs: Date.now(),
        references: {},
        isUnsettled: false,
        isRemoved: false,
      });
      log.info("volume %s is %s", name, source);
    });
  }

  async remove(name: string): Promise<void> {
    const { store, serial, idle, removed, host } = this.#parts;
    await serial.run(name, async () => {
      const record = this.#must(name);
      idle.cancel(name);
      log.info("volume %s is removed; its objects stay", name);
      if (!record.isUnsettled) return store.replace(record, undefined);
      // dockerd has looked for users; what is left of them is a matter of its crashes
      const leaving = { ...record, references: {}, isRemoved: true };
      await store.replace(record, leaving);
      await within(this.#parts.waitMs, removed.follow(leaving));
      return host.daemonOf(name).removeDirectory();
    });
  }

  async mount(name: string, id: string): Promise<string> {
    const { store, serial, idle, host } = this.#parts;
    return serial.run(name, async () => {
      idle.cancel(name);
      this.#must(name);
      try {
        await idle.ensureMounted(name);
      } catch (error) {
        // mounted or not, nobody uses it for this call
        idle.arm(name);
        throw error;
      }
      const record = this.#must(name);
      await store.replace(record, { ...record, references: withMount(record.references, id) });
      return host.mountpointOf(name);
    });
  }

  async unmount(name: string, id: string): Promise<void> {
    const { store, serial, idle, host, waitMs } = this.#parts;
    const isLast = await serial.run(name, async () => {
      const record = store.find(name);
      if (record === undefined) return false;
      const references = withUnmount(record.references, id);
      await store.replace(record, { ...record, references });
      return isIdle(references);
    });
    if (!isLast) return;
    // not in turn: a container that starts meanwhile does not wait for the uploads of the last
    await host.daemonOf(name).flush(waitMs, FAILING_MS);
    idle.arm(name);
  }

  async path(name: string): Promise<string> {
    const { mountpoint, isListed } = await this.#placeOf(this.#must(name));
    return isListed ? mountpoint : "";
  }

  async get(name: string): Promise<ShownVolume> {
    const record = this.#must(name);
    const { host } = this.#parts;
    const [shown, status] = await Promise.all([this.#show(record), host.daemonOf(name).status()]);
    const isMounted = shown.Mountpoint !== undefined;
    return { ...shown, Status: showStatus(record, isMounted, status) };
  }

  async list(): Promise<ShownVolume[]> {
    const records = this.#parts.store.records.filter(({ isRemoved }) => !isRemoved);
    return Promise.all(records.map(async (record) => this.#show(record)));
  }

  async #show(record: VolumeRecord): Promise<ShownVolume> {
    const { mountpoint, isListed } = await this.#placeOf(record);
    return {
      Name: record.name,
      CreatedAt: new Date(record.createdMs).toISOString(),
      ...(isListed && { Mountpoint: mountpoint }),
    };
  }

  async #placeOf({ name }: VolumeRecord): Promise<{ mountpoint: string; isListed: boolean }> {
    const daemon = this.#parts.host.daemonOf(name);
    return { mountpoint: daemon.mountpoint, isListed: await daemon.isListed() };
  }

  #must(name: string): VolumeRecord {
    const record = this.#parts.store.find(name);
    if (record !== undefined) return record;
    throw new StartError("configuration", `No volume "${name}" is known to pailfs`);
  }

  // two daemons of one bucket and prefix would each keep their own truth; the state folder has room for one
  async #checkAlone(name: string, { spool, source }: MountOptions): Promise<void> {
    const { store, host } = this.#parts;
    for (const other of store.records) {
      if (other.isRemoved || other.name === name) continue;
      const resolved = await host.resolve(other).catch(() => undefined);
      if (resolved?.options.spool.stateDirectory !== spool.stateDirectory) continue;
      throw new OptionError(
        `Cannot make volume "${name}": ${source} is volume "${other.name}" already; use that one, or choose another prefix`,
      );
    }
  }
}

// dockerd asks again for what it has forgotten
function checkSame(known: VolumeRecord, options: Readonly<Record<string, string>>): void {
  const names = Object.keys(options);
  const isSame =
    names.length === Object.keys(known.options).length &&
    names.every((name) => options[name] === known.options[name]);
  if (isSame || names.length === 0) return;
  throw new OptionError(
    `Cannot make volume "${known.name}": it is there with other options; remove it first (docker volume rm ${known.name}), its objects stay`,
  );
}

/** Resolves with the work, or after `ms` while it goes on. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
