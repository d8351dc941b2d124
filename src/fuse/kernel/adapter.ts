import type { Entry, FileHandle, FileSystem } from "../../fs/file-system.ts";
import type { BackingCalls, IoChoice } from "./passthrough.ts";
import { IoModes } from "./passthrough.ts";
import { FailedReads } from "./failed-reads.ts";
import type { DirectoryStream } from "./directory-stream.ts";
import { HandleTable } from "./handle-table.ts";
import type { Node, OpenFile } from "./node.ts";
import { NodeTable } from "./node-table.ts";
import type { InitReply, OpenReply, Reply } from "./reply.ts";
import { StashTable } from "./stash.ts";

/** What the kernel is allowed to want from us. */
export interface AdapterOptions {
  /** Bytes; written to INIT. */
  readonly maxReadahead: number;
  /** Undefined: no passthrough. */
  readonly backingCalls: BackingCalls | undefined;
  /** The FUSE device, for the backing ioctls. */
  readonly device: number;
  /** Called once, before INIT is answered; undefined: the kernel's protocol is too old. */
  readonly onInit: (granted: InitReply | undefined) => void;
}

/** The state between one kernel mount and one FileSystem: who is known, what is open. */
export class Adapter {
  readonly fileSystem: FileSystem;
  readonly options: AdapterOptions;
  readonly nodes = new NodeTable();
  readonly files = new HandleTable<OpenFile>();
  readonly directories = new HandleTable<DirectoryStream>();
  readonly stashes = new StashTable(this.nodes);
  readonly ioModes: IoModes;
  readonly failedReads = new FailedReads();
  /** Renames the core has not answered yet. */
  readonly renames = new Set<Promise<unknown>>();

  constructor(fileSystem: FileSystem, options: AdapterOptions) {
    this.fileSystem = fileSystem;
    this.options = options;
    this.ioModes = new IoModes(options.device, options.backingCalls);
  }

  /** The reply that gives the kernel one more reference to `node`. */
  entryReply(node: Node, entry: Entry): Reply {
    node.nlookup++;
    return { kind: "entry", nodeid: node.nodeid, entry };
  }

  /** Makes `handle` an open file of `node`. */
  addFile(node: Node, handle: FileHandle, writable: boolean, choice: IoChoice): OpenReply {
    const file: OpenFile = { node, handle, writable, mode: choice.mode };
    node.addFile(file);
    this.ioModes.opened(node, choice.mode);
    return {
      fh: this.files.add(file),
      openFlags: choice.openFlags,
      backingId: choice.backingId,
    };
  }

  /** Ends an open file. */
  removeFile(file: OpenFile): void {
    file.node.removeFile(file);
    this.ioModes.released(file.node, file.mode);
    file.handle.release();
    this.nodes.collect(file.node);
  }

  /** Ends an open directory. */
  removeDirectory(stream: DirectoryStream): void {
    stream.node.directories.delete(stream);
    stream.handle.release();
    this.nodes.collect(stream.node);
  }

  /** Releases everything that is still open, when the kernel is gone. */
  close(): void {
    // the device is closed and its number may be another file's: no ioctl any more
    this.ioModes.disable();
    this.stashes.clear();
    for (const file of this.files.drain()) this.removeFile(file);
    for (const stream of this.directories.drain()) this.removeDirectory(stream);
  }
}
