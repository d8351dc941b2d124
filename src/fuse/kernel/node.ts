import type { FileHandle } from "../../fs/file-system.ts";
import type { Stat } from "../../posix/stat.ts";
import { FileType } from "../../posix/stat.ts";
import type { DirectoryStream } from "./directory-stream.ts";

/** How reads and writes of one open file travel. */
export type IoMode = "cached" | "direct" | "passthrough";

/** One open(2) the kernel holds. */
export interface OpenFile {
  readonly node: Node;
  readonly handle: FileHandle;
  readonly writable: boolean;
  readonly mode: IoMode;
}

/** What an inode's open files have in common: the kernel refuses to mix cached and passthrough ones. */
export type NodeIo =
  | { readonly mode: "cached"; count: number }
  | {
      readonly mode: "passthrough";
      count: number;
      readonly backingId: number;
      /** dev:ino of the backing file. */
      readonly backingFile: string;
    };

// Shared, since `ls -l` of a large directory makes a node for each file: nothing is ever added to these.
const noChildren: Map<string, Node> = new Map();
const noFormer: Map<string, Set<Node>> = new Map();
const noDirectories: Set<DirectoryStream> = new Set();
const noFiles: Set<OpenFile> = new Set();

/**
 * What one nodeid stands for: one (ino, generation) under one name. `attached`: the name stands for this node now.
 * A detached node keeps its open files; with a `parent` it may become attached again, without one its name is gone.
 */
export class Node {
  readonly nodeid: number;
  readonly ino: number;
  readonly generation: number;
  /** st_mode's type bits. */
  readonly type: number;
  parent: Node | undefined;
  name: string;
  attached = false;
  /** References the kernel holds. */
  nlookup = 0;
  /** Pending opens that keep the node although nothing else may. */
  stashes = 0;
  readonly children: Map<string, Node>;
  /** Detached nodes by the name they had or will have. */
  readonly former: Map<string, Set<Node>>;
  readonly directories: Set<DirectoryStream>;
  #files: Set<OpenFile> = noFiles;
  io: NodeIo | undefined;

  constructor(nodeid: number, parent: Node | undefined, name: string, stat: Stat) {
    this.nodeid = nodeid;
    this.parent = parent;
    this.name = name;
    this.ino = stat.ino;
    this.generation = stat.generation;
    this.type = stat.mode & FileType.mask;
    const isDirectory = this.type === FileType.directory;
    this.children = isDirectory ? new Map() : noChildren;
    this.former = isDirectory ? new Map() : noFormer;
    this.directories = isDirectory ? new Set() : noDirectories;
  }

  get files(): ReadonlySet<OpenFile> {
    return this.#files;
  }

  addFile(file: OpenFile): void {
    if (this.#files === noFiles) this.#files = new Set();
    this.#files.add(file);
  }

  removeFile(file: OpenFile): void {
    this.#files.delete(file);
  }

  /** Whether `stat` describes the object this node stands for; another type under one nodeid would be EIO in the kernel. */
  is(stat: Stat): boolean {
    return (
      this.ino === stat.ino &&
      this.generation === stat.generation &&
      this.type === (stat.mode & FileType.mask)
    );
  }

  /** Whether someone can change this file without a request that says so. */
  get isWrittenTo(): boolean {
    for (const file of this.files) if (file.writable) return true;
    return false;
  }
}
