import type { AttributeChanges, Entry } from "../../../src/fs/file-system.ts";
import {
  FileType,
  isDirectory,
  nowNs,
  S_ISGID,
  S_ISUID,
  type Nanoseconds,
  type Stat,
} from "../../../src/posix/stat.ts";
import type { FileContent } from "./file-content.ts";

/** What a new inode starts with. */
export interface InodeSeed {
  readonly ino: number;
  readonly generation: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly content?: FileContent;
  readonly target?: string;
}

/** One object of the in-memory file system; its times follow the rules of POSIX. */
export class MemoryInode {
  readonly ino: number;
  readonly generation: number;
  readonly rdev: number;
  readonly target: string;
  readonly content: FileContent | undefined;
  readonly children = new Map<string, MemoryInode>();
  readonly xattrs = new Map<string, Uint8Array>();
  mode: number;
  uid: number;
  gid: number;
  isLinked = true;
  atime: Nanoseconds;
  mtime: Nanoseconds;
  ctime: Nanoseconds;
  /** Open handles and the name: the content is freed with the last. */
  holders = 0;

  constructor(seed: InodeSeed) {
    this.ino = seed.ino;
    this.generation = seed.generation;
    this.mode = seed.mode;
    this.uid = seed.uid;
    this.gid = seed.gid;
    this.rdev = seed.rdev ?? 0;
    this.target = seed.target ?? "";
    this.content = seed.content;
    this.atime = nowNs();
    this.mtime = this.atime;
    this.ctime = this.atime;
  }

  get type(): number {
    return this.mode & FileType.mask;
  }

  get size(): number {
    if (this.content !== undefined) return this.content.size();
    return this.type === FileType.symlink ? Buffer.byteLength(this.target) : 0;
  }

  /** Contents changed: mtime and ctime. */
  touch(): void {
    this.mtime = nowNs();
    this.ctime = this.mtime;
  }

  stat(): Stat {
    // bytes written by the kernel alone (passthrough) show only in the backing file
    const written = this.content?.writtenAt();
    if (written !== undefined && written > this.mtime) this.mtime = written;
    if (written !== undefined && written > this.ctime) this.ctime = written;
    const subdirectories = [...this.children.values()].filter((child) => isDirectory(child));
    const links = isDirectory(this) ? 2 + subdirectories.length : 1;
    return {
      ino: this.ino,
      generation: this.generation,
      mode: this.mode,
      nlink: this.isLinked ? links : 0,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size: this.size,
      atime: this.atime,
      mtime: this.mtime,
      ctime: this.ctime,
    };
  }

  entry(validMs: number): Entry {
    return { stat: this.stat(), validMs };
  }

  /** setattr(2)-like calls: chmod, chown, truncate, utimens. */
  change(changes: AttributeChanges): void {
    const now = nowNs();
    if (changes.uid !== undefined) this.uid = changes.uid;
    if (changes.gid !== undefined) this.gid = changes.gid;
    if (changes.killPrivileges === true && !isDirectory(this)) {
      const sgid = (this.mode & 0o010) === 0 ? 0 : S_ISGID;
      this.mode &= ~(S_ISUID | sgid);
    }
    if (changes.mode !== undefined) this.mode = this.type | (changes.mode & 0o7777);
    if (changes.size !== undefined && this.content !== undefined) {
      this.content.truncate(changes.size);
      this.mtime = now;
    }
    this.stat(); // takes over when the backing file was written
    if (changes.atime !== undefined) this.atime = changes.atime === "now" ? now : changes.atime;
    if (changes.mtime !== undefined) {
      this.content?.forgetWrittenAt();
      this.mtime = changes.mtime === "now" ? now : changes.mtime;
    }
    this.ctime = now;
  }

  release(): void {
    if (--this.holders <= 0 && !this.isLinked) this.content?.close();
  }
}
