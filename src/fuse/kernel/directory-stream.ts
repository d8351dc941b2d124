import type { DirectoryEntry, DirectoryHandle } from "../../fs/file-system.ts";
import type { Node } from "./node.ts";

/** One open directory: the core's handle, and the entries it gave last. */
export class DirectoryStream {
  readonly node: Node;
  handle: DirectoryHandle;
  /** Names whose entries changed since the listing was taken: their attributes in it may be old. */
  readonly touched = new Set<string>();
  batch: readonly DirectoryEntry[] = [];
  batchOffset = 0;
  /** Whether the batch has attributes. */
  batchPlus = false;
  /** Whether a request has read from it: a rewind then takes a new listing. */
  started = false;

  constructor(node: Node, handle: DirectoryHandle) {
    this.node = node;
    this.handle = handle;
  }

  /** Takes a new listing's handle in place of the old. */
  restart(handle: DirectoryHandle): void {
    this.handle.release();
    this.handle = handle;
    this.batch = [];
    this.batchOffset = 0;
    this.touched.clear();
    this.started = false;
  }
}
