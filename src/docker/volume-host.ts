import { join } from "node:path";
import type { Environment } from "../options/environment-options.ts";
import { type DaemonPlaces, DaemonProcess, type VolumeDaemon } from "./volume-daemon.ts";
import { type VolumeMount, type VolumeWish, resolveVolume } from "./volume-options.ts";

/** The host as volumes see it: where they are mounted, by whom, and with which defaults. */
export interface VolumeHost {
  readonly environment: Environment & { readonly homeDirectory: string };
  /** Where the volume of a checked name is mounted. */
  mountpointOf(name: string): string;
  daemonOf(name: string): VolumeDaemon;
  /** The daemon that ends what a removed volume has begun: the one it had, or another at a place that is no volume's. */
  daemonOfRemoved(name: string, mountpoint: string, stateDirectory: string): VolumeDaemon;
  /** What is to be mounted for a volume, with the defaults of now; rejects with OptionError. */
  resolve(wish: Omit<VolumeWish, "mountpoint">, mountpoint?: string): Promise<VolumeMount>;
}

/** The host that the plugin runs on. */
export class LocalHost implements VolumeHost {
  readonly environment: VolumeHost["environment"];
  readonly #mounts: string;
  readonly #config: string | undefined;
  readonly #places: DaemonPlaces;

  constructor(
    settings: { readonly mounts: string; readonly config: string | undefined },
    environment: VolumeHost["environment"],
    places: DaemonPlaces,
  ) {
    this.environment = environment;
    this.#mounts = settings.mounts;
    this.#config = settings.config;
    this.#places = places;
  }

  mountpointOf(name: string): string {
    return join(this.#mounts, name);
  }

  daemonOf(name: string): VolumeDaemon {
    return new DaemonProcess(this.mountpointOf(name), this.#places);
  }

  daemonOfRemoved(name: string, mountpoint: string, stateDirectory: string): VolumeDaemon {
    const former = { mountpoint: this.mountpointOf(name), stateDirectory };
    return new DaemonProcess(mountpoint, this.#places, former);
  }

  async resolve(
    wish: Omit<VolumeWish, "mountpoint">,
    mountpoint = this.mountpointOf(wish.name),
  ): Promise<VolumeMount> {
    return resolveVolume({ ...wish, mountpoint }, this.#config, this.environment);
  }
}
