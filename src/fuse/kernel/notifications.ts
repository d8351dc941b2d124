import type { Change } from "../../fs/file-system.ts";
import { Errno, errnoName } from "../../posix/errno.ts";
import { baseName, parentPath } from "../../posix/path.ts";
import { log } from "../../log.ts";
import { Notify, OUT_HEADER_SIZE } from "./abi.ts";
import type { NodeTable } from "./node-table.ts";
import { writeU64 } from "./reply.ts";

/** A notification blocks its thread until the kernel has taken it: few at a time, libuv has 4 threads. */
const CONCURRENCY = 2;

function header(length: number, code: number): Buffer {
  const message = Buffer.alloc(length);
  message.writeUInt32LE(length, 0);
  message.writeInt32LE(code, 4);
  return message;
}

/** Drops an inode's attributes, with `data` its pages too. */
export function encodeInvalInode(nodeid: number, data: boolean): Buffer {
  const message = header(OUT_HEADER_SIZE + 24, Notify.INVAL_INODE);
  writeU64(message, OUT_HEADER_SIZE, nodeid);
  // off < 0: attributes only, never waits; len 0: to the end
  message.writeBigInt64LE(data ? 0n : -1n, OUT_HEADER_SIZE + 8);
  return message;
}

/** Drops what a name stands for. */
export function encodeInvalEntry(parent: number, name: string): Buffer {
  const nameLength = Buffer.byteLength(name);
  const message = header(OUT_HEADER_SIZE + 16 + nameLength + 1, Notify.INVAL_ENTRY);
  writeU64(message, OUT_HEADER_SIZE, parent);
  message.writeUInt32LE(nameLength, OUT_HEADER_SIZE + 8);
  message.write(name, OUT_HEADER_SIZE + 16);
  return message;
}

/** Asks for nodes back, each unless it is in use (struct fuse_notify_prune_out). */
export function encodePrune(nodeids: readonly number[]): Buffer {
  const message = header(OUT_HEADER_SIZE + 16 + 8 * nodeids.length, Notify.PRUNE);
  message.writeUInt32LE(nodeids.length, OUT_HEADER_SIZE);
  for (const [i, nodeid] of nodeids.entries()) {
    writeU64(message, OUT_HEADER_SIZE + 16 + 8 * i, nodeid);
  }
  return message;
}

/** Tells the kernel what changed behind its back; what it does not know is left out. */
export class Notifications {
  readonly #nodes: NodeTable;
  readonly #send: (message: Buffer) => Promise<number>;
  /** By kind and path: what is asked for twice before it is sent is sent once. */
  readonly #queue = new Map<string, Change>();
  #running = 0;

  constructor(nodes: NodeTable, send: (message: Buffer) => Promise<number>) {
    this.#nodes = nodes;
    this.#send = send;
  }

  add(change: Change): void {
    this.#queue.set(`${change.kind} ${change.path}`, change);
    // after the reply of the operation that may be running
    if (this.#running < CONCURRENCY) {
      this.#running++;
      setImmediate(() => void this.#drain()); // never rejects
    }
  }

  async #drain(): Promise<void> {
    for (const [key, change] of this.#queue) {
      this.#queue.delete(key);
      const message = this.#encode(change);
      if (message === undefined) continue;
      const errno = await this.#send(message);
      // ENOENT: the kernel has forgotten it by itself
      if (errno !== 0 && errno !== Errno.ENOENT && errno !== Errno.ENODEV) {
        log.debug("notification of %s was refused: %s", change.path, errnoName(errno));
      }
    }
    this.#running--;
  }

  #encode(change: Change): Buffer | undefined {
    if (change.kind !== "entry") {
      const node = this.#nodes.find(change.path);
      return node === undefined ? undefined : encodeInvalInode(node.nodeid, change.kind === "data");
    }
    if (change.path === "/") return undefined;
    const parent = this.#nodes.find(parentPath(change.path));
    return parent === undefined
      ? undefined
      : encodeInvalEntry(parent.nodeid, baseName(change.path));
  }
}
