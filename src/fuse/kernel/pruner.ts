// Bounds the memory that names take: the kernel keeps each that it was told of until its own memory is short.
import { setImmediate } from "node:timers/promises";
import { Errno, errnoName } from "../../posix/errno.ts";
import { log } from "../../log.ts";
import type { NodeTable } from "./node-table.ts";
import { encodePrune } from "./notifications.ts";

/** Nodes above which the kernel is asked for old ones: about 75 MB, and what a walk (fts(3)) looks at twice fits in. */
const MOST_NODES = 200_000;
/** Nodeids in one notification: the kernel takes them within a few ms. */
const AT_ONCE = 2048;

/** Asks the kernel for old nodes back when there are many; before Linux 6.18 it does not understand, and keeps them. */
export class Pruner {
  readonly #nodes: NodeTable;
  readonly #send: (message: Buffer) => Promise<number>;
  readonly #most: number;
  /** What is made until then may take the place of what was asked for. */
  #nextAt: number;
  #isAsking = false;

  constructor(
    nodes: NodeTable,
    send: (message: Buffer) => Promise<number>,
    most: number = MOST_NODES,
  ) {
    this.#nodes = nodes;
    this.#send = send;
    this.#most = most;
    this.#nextAt = most;
  }

  /** Watches the table from here on. */
  start(): void {
    this.#nodes.onCreate = () => {
      if (this.#isAsking || !this.#isDue) return;
      this.#isAsking = true;
      void this.#ask(); // never rejects
    };
  }

  async #ask(): Promise<void> {
    const step = Math.ceil(this.#most / 10);
    do {
      this.#nextAt = this.#nodes.made + step;
      if (!(await this.#askFor(this.#nodes.size - this.#most + step))) return;
    } while (this.#isDue);
    this.#isAsking = false;
  }

  /** Resolves to whether the kernel understands. */
  async #askFor(count: number): Promise<boolean> {
    for (let left = count; left > 0; left -= AT_ONCE) {
      // after the reply that tells of the newest
      await setImmediate();
      const nodeids = this.#nodes.idle(Math.min(left, AT_ONCE));
      if (nodeids.length === 0) return true;
      const errno = await this.#send(encodePrune(nodeids));
      if (errno === 0) continue;
      // a kernel that does not know this (EINVAL), or that is gone
      if (errno !== Errno.ENODEV) log.debug("nodes stay with the kernel: %s", errnoName(errno));
      return false;
    }
    return true;
  }

  get #isDue(): boolean {
    return this.#nodes.size > this.#most && this.#nodes.made > this.#nextAt;
  }
}
