// serving -> unmounting -> draining -> ended, whoever starts it: a signal, the control socket, umount(8) by hand.
import { setTimeout as delay } from "node:timers/promises";
import { log } from "../log.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import type { MountedFileSystem } from "./mount-contract.ts";
import type { DaemonStatus } from "./status.ts";

/** How long S3 may have failed before a daemon that was told to stop leaves its queue to the next start, in ms. */
const PATIENCE_MS = 15_000;

/** How long umount(8) may go on after the connection's end: the kernel frees gigabytes of pages meanwhile, in ms. */
const UMOUNT_MS = 30_000;

/** Follows one mount to its end. `phase` only moves forward, save from `unmounting` back when that failed. */
export class DaemonLife {
  readonly mount: MountedFileSystem;
  readonly startedMs = Date.now();
  /** Resolves when the queue was drained, or left by a second stop(); never rejects. */
  readonly ended: Promise<void>;
  #phase: DaemonStatus["phase"] = "serving";
  #stops = 0;
  #unmounted = false;
  /** Settled unless an unmount is under way; never rejects. */
  #unmounting: Promise<unknown> = Promise.resolve();
  #left = 0;
  readonly #abandon = new AbortController();

  readonly #patienceMs: number;

  constructor(mount: MountedFileSystem, patienceMs = PATIENCE_MS) {
    this.mount = mount;
    this.#patienceMs = patienceMs;
    this.ended = this.#follow();
  }

  get phase(): DaemonStatus["phase"] {
    return this.#phase;
  }

  /** Records left in the journal once `ended`. */
  get left(): number {
    return this.#left;
  }

  /**
   * First: unmount, lazily when busy, and drain as long as S3 takes something now and then. Second: leave the queue, and
   * whoever still uses the mount.
   */
  stop(): void {
    this.#stops += 1;
    if (this.#stops > 1) this.#abandon.abort();
    else {
      void this.#unmountForGood();
      this.#watchDrain();
    }
  }

  // a host that goes down must not wait for an S3 that is away
  #watchDrain(): void {
    const timer = setInterval(() => {
      const { failingSinceMs } = this.mount.status();
      if (this.#phase !== "draining" || failingSinceMs === undefined) return;
      if (Date.now() - failingSinceMs < this.#patienceMs) return;
      log.warn(
        "S3 has not answered for %d s: the rest waits for the next start",
        this.#patienceMs / 1000,
      );
      this.#abandon.abort();
    }, this.#patienceMs / 20);
    void this.ended.then(() => clearInterval(timer));
  }

  /** Unmounts; rejects with FsError EBUSY when in use and not `lazy`: it is served on then. */
  async unmount(lazy: boolean): Promise<void> {
    if (this.#unmounted || this.#phase === "draining") return;
    this.#phase = "unmounting";
    try {
      const unmounting = this.mount.unmount({ lazy });
      this.#unmounting = unmounting.catch(() => undefined);
      await unmounting;
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
    // who asked for it is to get an answer before the control socket goes
    await Promise.race([this.#unmounting, abandoned, delay(UMOUNT_MS, undefined, { ref: false })]);
    this.#left = this.mount.status().queue.length;
  }
}
