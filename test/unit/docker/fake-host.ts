// Volumes whose daemons are none: what they were asked is written down, and what they answer is the test's to say.
import { join } from "node:path";
import { StartError } from "../../../src/daemon/start-error.ts";
import type { DaemonStatus } from "../../../src/daemon/status.ts";
import { IdleMounts } from "../../../src/docker/idle-mounts.ts";
import { RemovedVolumes } from "../../../src/docker/removed-volumes.ts";
import { SerialQueue } from "../../../src/docker/serial-queue.ts";
import type { VolumeDaemon } from "../../../src/docker/volume-daemon.ts";
import type { VolumeHost } from "../../../src/docker/volume-host.ts";
import { resolveVolume } from "../../../src/docker/volume-options.ts";
import { VolumeStore } from "../../../src/docker/volume-store.ts";
import { Volumes } from "../../../src/docker/volumes.ts";

export const environment = {
  variables: { AWS_ACCESS_KEY_ID: "GK1", AWS_SECRET_ACCESS_KEY: "secret" },
  uid: 0,
  gid: 0,
  directory: "/",
  homeDirectory: "/nonexistent",
};

/** A daemon that is mounted or not. */
export class FakeDaemon implements VolumeDaemon {
  readonly mountpoint: string;
  isUp = false;
  /** Files that wait for S3. */
  waiting = 0;
  /** Why the next mounts fail. */
  failure: string | undefined;
  readonly calls: string[] = [];

  constructor(mountpoint: string) {
    this.mountpoint = mountpoint;
  }

  isListed = async (): Promise<boolean> => this.isUp;
  isMounted = async (): Promise<boolean> => this.isUp;

  async mount(): Promise<void> {
    this.calls.push("mount");
    if (this.failure !== undefined) throw new StartError("runtime", this.failure);
    this.isUp = true;
  }

  async status(): Promise<DaemonStatus | undefined> {
    if (!this.isUp) return undefined;
    const queue = { length: this.waiting, bytes: 0, refused: 0 };
    return { queue, pid: 1 } as Partial<DaemonStatus> as DaemonStatus;
  }

  async flush(): Promise<void> {
    this.calls.push("flush");
  }

  async unmount(lazy: boolean): Promise<number> {
    this.calls.push(lazy ? "unmount lazily" : "unmount");
    if (!this.isUp) return Number.POSITIVE_INFINITY;
    this.isUp = false;
    return this.waiting;
  }

  async removeDirectory(): Promise<void> {
    this.calls.push("rmdir");
  }
}

/** Volumes on fake daemons; `open()` again is a restart of the plugin. */
export class FakeHost implements VolumeHost {
  readonly environment = environment;
  readonly #folder: string;
  readonly #daemons = new Map<string, FakeDaemon>();
  config: string | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open(lingerMs = 60_000, bootId?: string) {
    const store = await VolumeStore.open(this.#folder, bootId);
    const serial = new SerialQueue();
    const removed = new RemovedVolumes(this, store);
    const idle = new IdleMounts({ host: this, store, serial, removed, lingerMs });
    const volumes = new Volumes({ host: this, store, serial, idle, removed, waitMs: 45_000 });
    await volumes.resume();
    const close = async (): Promise<void> => {
      idle.stop();
      removed.stop();
      // what is under way writes into a folder that is about to go
      await Promise.all(store.records.map(async ({ name }) => serial.run(name, async () => {})));
      await store.replace(undefined, undefined);
    };
    return { volumes, store, close };
  }

  mountpointOf(name: string): string {
    return join(this.#folder, "mounts", name);
  }

  daemonOf(name: string): FakeDaemon {
    return this.#daemonAt(this.mountpointOf(name));
  }

  // it still is the one that the volume had
  daemonOfRemoved(name: string): FakeDaemon {
    return this.daemonOf(name);
  }

  async resolve(wish: Parameters<VolumeHost["resolve"]>[0], mountpoint?: string) {
    const place = mountpoint ?? this.mountpointOf(wish.name);
    return resolveVolume({ ...wish, mountpoint: place }, this.config, this.environment);
  }

  #daemonAt(mountpoint: string): FakeDaemon {
    const daemon = this.#daemons.get(mountpoint) ?? new FakeDaemon(mountpoint);
    this.#daemons.set(mountpoint, daemon);
    return daemon;
  }
}
