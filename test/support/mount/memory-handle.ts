import type {
  AttributeChanges,
  CallContext,
  DirectoryEntry,
  DirectoryHandle,
  Entry,
  FileHandle,
} from "../../../src/fs/file-system.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { type OpenFlags, parseOpenFlags } from "../../../src/posix/open-flags.ts";
import type { FileContent } from "./file-content.ts";
import type { MemoryInode } from "./memory-inode.ts";

/** What a handle needs of its file system. */
export interface HandleHost {
  readonly validMs: number;
  /** Makes replaced content visible under its name. */
  publish(inode: MemoryInode): void;
}

/** One open file of the in-memory file system. */
export class MemoryFileHandle implements FileHandle {
  readonly keepCache = false;
  readonly #host: HandleHost;
  readonly #inode: MemoryInode;
  readonly #content: FileContent;
  readonly #flags: OpenFlags;

  constructor(host: HandleHost, inode: MemoryInode, flags: number) {
    if (inode.content === undefined) throw new FsError("EINVAL", "Cannot open what has no bytes");
    this.#host = host;
    this.#inode = inode;
    this.#content = inode.content;
    this.#flags = parseOpenFlags(flags);
    inode.holders++;
  }

  entry(): Entry {
    return this.#inode.entry(this.#host.validMs);
  }

  backing(): number | undefined {
    return this.#content.backing();
  }

  read(offset: number, length: number): readonly Uint8Array[] {
    if (!this.#flags.readable) throw new FsError("EBADF", "Cannot read a file open for writing");
    return this.#content.read(offset, length);
  }

  write(offset: number, data: Uint8Array): number {
    if (!this.#flags.writable) throw new FsError("EBADF", "Cannot write a file open for reading");
    this.#content.write(this.#flags.append ? this.#content.size() : offset, data);
    this.#inode.touch();
    return data.length;
  }

  setattr(changes: AttributeChanges): Entry {
    this.#inode.change(changes);
    return this.entry();
  }

  flush(): void {
    if (this.#flags.writable && this.#content.size() > 0) this.#host.publish(this.#inode);
  }

  fsync(): void {
    this.flush();
  }

  fallocate(mode: number, offset: number, length: number): void {
    if (!this.#flags.writable) throw new FsError("EBADF", "Cannot write a file open for reading");
    if ((mode & ~19) !== 0) throw new FsError("EOPNOTSUPP", "Cannot allocate in that mode");
    const keepsSize = (mode & 1) !== 0;
    if ((mode & 18) !== 0) this.#content.zero(offset, length);
    if (!keepsSize && offset + length > this.#content.size()) {
      this.#content.truncate(offset + length);
    }
    this.#inode.touch();
  }

  lseek(offset: number, whence: number): number {
    return this.#content.seek(offset, whence);
  }

  release(): void {
    if (this.#flags.writable) this.#host.publish(this.#inode);
    this.#inode.release();
  }
}

/** One open directory: a snapshot of its names, with attributes as of each read. */
export class MemoryDirectoryHandle implements DirectoryHandle {
  readonly #entries: readonly (readonly [string, MemoryInode])[];
  readonly #validMs: number;

  constructor(inode: MemoryInode, validMs: number) {
    this.#entries = [...inode.children];
    this.#validMs = validMs;
  }

  read(offset: number, _context: CallContext): readonly DirectoryEntry[] {
    return this.#entries
      .slice(offset, offset + 1000)
      .map(([name, inode]) => ({ name, ...inode.entry(this.#validMs) }));
  }

  fsync(): void {}

  release(): void {}
}
