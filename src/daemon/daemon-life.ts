// serving -> unmounting -> draining -> ended, whoever starts it: a signal, the control socket, umount(8) by hand.
import { log } from "../log.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import type { MountedFileSystem } from "./mount-contract.ts";
import type { DaemonStatus } from "./status.ts";

/** Follows one mount to its end. `phase` only moves forward, save from `unmounting` back when that failed. */
export class DaemonLife {
  readonly mount: MountedFileSystem;
  readonly startedMs = Date.now();
  /** Resolves when the queue was drained, or left by a second stop(); never rejects. */
  readonly ended: Promise<void>;
  #phase: DaemonStatus["phase"] = "serving";
  #stops = 0;
  #unmounted = false;
  #left = 0;
  readonly #abandon = new AbortController();

  constructor(mount: MountedFileSystem) {
    this.mount = mount;
    this.ended = this.#follow();
  }

  get phase(): DaemonStatus["phase"] {
    return this.#phase;
  }

  /** Records left in the journal once `ended`. */
  get left(): number {
    return this.#left;
  }

  /** First: unmount, lazily when busy. Second: leave the queue, and whoever still uses the mount. */
  stop(): void {
    this.#stops += 1;
    if (this.#stops === 1) void this.#unmountForGood();
    else this.#abandon.abort();
  }

  /** Unmounts; rejects with FsError EBUSY when in use and not `lazy`: it is served on then. */
  async unmount(lazy: boolean): Promise<void> {
    if (this.#unmounted || this.#phase === "draining") return;
    this.#phase = "unmounting";
    try {
      await this.mount.unmount({ lazy });
      this.#unmounted = true;
    } catch (error) {
      if (this.#phase === "unmounting") this.#phase = "serving";
      throw error;
    }
  }

  // never rejects
  async #unmountForGood(): Promise<void> {
    try {
      await this.unmount(false);
    } catch (error) {
      const busy = errnoOf(error) === Errno.EBUSY;
      log.warn(
        busy ? "in use: detached, and served until its last user is gone" : "%s: detaching instead",
        ...(busy ? [] : [error instanceof Error ? error.message : error]),
      );
      await this.unmount(true).catch((detachError: unknown) =>
        log.error("cannot detach: %s", detachError),
      );
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#abandon;
    const abandoned = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([this.mount.closed, abandoned]);
    this.#phase = "draining";
    const { length, bytes } = this.mount.status().queue;
    if (length > 0 && !signal.aborted)
      log.info("unmounted, uploading %d (%d bytes)", length, bytes);
    try {
      // a drain that ignores the signal must not keep us
      if (!signal.aborted) await Promise.race([this.mount.drain(signal), abandoned]);
    } catch (error) {
      log.warn("not drained: %s", error instanceof Error ? error.message : error);
    }
    this.#left = this.mount.status().queue.length;
  }
}
