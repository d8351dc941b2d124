import type { FileHandle } from "../../fs/file-system.ts";
import type { Node } from "./node.ts";
import type { NodeTable } from "./node-table.ts";
import type { Request } from "./request.ts";

/** How long the kernel has to come back for a handle; it does so within one path walk. */
const CLAIM_MS = 2000;

/** A handle whose bytes are not its node's: its OPEN was answered ESTALE, the kernel looks the name up again and opens `node`. */
interface Stash {
  readonly parent: Node;
  readonly name: string;
  readonly node: Node;
  readonly handle: FileHandle;
  readonly flags: number;
  readonly pid: number;
  readonly timer: NodeJS.Timeout;
}

/** The handles on their way to another node; there are seldom any, so they are searched one by one. */
export class StashTable {
  readonly #stashes = new Set<Stash>();
  readonly #nodes: NodeTable;

  constructor(nodes: NodeTable) {
    this.#nodes = nodes;
  }

  /** Keeps `handle` until `request`'s caller opens `node` with the same flags, or it is too late. */
  add(request: Request, node: Node, handle: FileHandle, flags: number): void {
    const { parent, name } = node;
    if (parent === undefined) throw new Error("a stash needs a node with a name");
    node.stashes++;
    const stash: Stash = {
      parent,
      name,
      node,
      handle,
      flags,
      pid: request.pid,
      timer: setTimeout(() => {
        this.#remove(stash);
        handle.release();
      }, CLAIM_MS).unref(),
    };
    this.#stashes.add(stash);
  }

  /** The node and handle that this caller's lookup of `name` is to find. */
  forLookup(
    request: Request,
    parent: Node,
    name: string,
  ): { readonly node: Node; readonly handle: FileHandle } | undefined {
    if (this.#stashes.size === 0) return undefined;
    for (const stash of this.#stashes) {
      if (stash.pid === request.pid && stash.name === name && stash.parent === parent) return stash;
    }
    return undefined;
  }

  /** A handle that waits for an OPEN of `node`. */
  handleFor(node: Node): FileHandle | undefined {
    if (node.stashes === 0) return undefined;
    for (const stash of this.#stashes) if (stash.node === node) return stash.handle;
    return undefined;
  }

  /** Hands over what waits for this OPEN. */
  claim(request: Request, node: Node, flags: number): FileHandle | undefined {
    if (this.#stashes.size === 0) return undefined;
    for (const stash of this.#stashes) {
      if (stash.node === node && stash.pid === request.pid && stash.flags === flags) {
        this.#remove(stash);
        return stash.handle;
      }
    }
    return undefined;
  }

  /** Gives up what this caller did not come back for in the right place. */
  drop(request: Request, parent: Node, name: string): void {
    for (const stash of this.#stashes) {
      if (stash.pid === request.pid && stash.name === name && stash.parent === parent) {
        this.#remove(stash);
        stash.handle.release();
      }
    }
  }

  /** Releases all. */
  clear(): void {
    for (const stash of this.#stashes) {
      this.#remove(stash);
      stash.handle.release();
    }
  }

  #remove(stash: Stash): void {
    clearTimeout(stash.timer);
    this.#stashes.delete(stash);
    stash.node.stashes--;
    this.#nodes.collect(stash.node);
  }
}
