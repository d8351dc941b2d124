// A complete POSIX file system in memory: the reference that tests of the adapters run on.
import {
  type AttributeChanges,
  type CallContext,
  type Change,
  type Entry,
  type FileHandle,
  type FileSystem,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../../src/fs/file-system.ts";
import { FsError } from "../../src/posix/errno.ts";
import { parseOpenFlags } from "../../src/posix/open-flags.ts";
import { baseName, checkName, isBelowOrEqual, parentPath } from "../../src/posix/path.ts";
import { FileType, isDirectory, S_ISGID, type StatFs } from "../../src/posix/stat.ts";
import { BackedContent, type FileContent, MemoryContent } from "./mount/file-content.ts";
import { type HandleHost, MemoryDirectoryHandle, MemoryFileHandle } from "./mount/memory-handle.ts";
import { checkReplace, findInode, parentOf } from "./mount/memory-tree.ts";
import { type InodeSeed, MemoryInode } from "./mount/memory-inode.ts";

/** How the file system behaves. */
export interface MemoryFileSystemOptions {
  /** How long the kernel may keep names and attributes, ms; 1000 unless given. */
  readonly validMs?: number;
  /** A directory for contents, which then have a descriptor to pass through. */
  readonly backingDirectory?: string;
  /** O_TRUNC over existing bytes makes a new generation that others see from the next flush or release on. */
  readonly replaceOnTruncate?: boolean;
}

/** In-memory FileSystem; answers synchronously. */
export class MemoryFileSystem implements FileSystem, HandleHost {
  readonly validMs: number;
  readonly #options: MemoryFileSystemOptions;
  readonly #root: MemoryInode;
  #lastIno = 1;
  #lastGeneration = 0;
  /** Replaced contents that are not visible yet, with the inode they will replace. */
  readonly #unpublished = new Map<MemoryInode, MemoryInode>();
  #listener: (change: Change) => void = () => {};

  constructor(options: MemoryFileSystemOptions = {}) {
    this.#options = options;
    this.validMs = options.validMs ?? 1000;
    this.#root = new MemoryInode({
      ino: 1,
      generation: 0,
      mode: FileType.directory | 0o755,
      uid: 0,
      gid: 0,
    });
  }

  /** Tells the adapter that something changed behind the kernel's back. */
  announce(change: Change): void {
    this.#listener(change);
  }

  /** What another host would do: the name stands for new bytes. */
  replace(path: string, text: string): void {
    const old = this.#find(path);
    const { ino, mode, uid, gid } = old;
    const content = this.#content();
    content.write(0, Buffer.from(text));
    const generation = ++this.#lastGeneration;
    const inode = new MemoryInode({ ino, generation, mode, uid, gid, content });
    this.#find(parentPath(path)).children.set(baseName(path), inode);
    old.isLinked = false;
    old.holders++;
    old.release();
  }

  onChange(listener: (change: Change) => void): void {
    this.#listener = listener;
  }

  lookup(path: string): Entry | undefined {
    checkName(baseName(path));
    const parent = this.#find(parentPath(path));
    if (!isDirectory(parent)) throw new FsError("ENOTDIR", `Cannot look up "${path}"`);
    const inode = path === "/" ? this.#root : parent.children.get(baseName(path));
    return inode?.entry(this.validMs);
  }

  getattr(path: string): Entry {
    return this.#find(path).entry(this.validMs);
  }

  setattr(path: string, changes: AttributeChanges): Entry {
    const inode = this.#find(path);
    inode.change(changes);
    return inode.entry(this.validMs);
  }

  readlink(path: string): string {
    const inode = this.#find(path);
    if (inode.type !== FileType.symlink) throw new FsError("EINVAL", `Cannot read link "${path}"`);
    inode.atime = inode.atime > inode.mtime ? inode.atime : inode.mtime;
    return inode.target;
  }

  mkdir(path: string, mode: number, context: CallContext): Entry {
    return this.#make(path, FileType.directory | (mode & 0o7777), context).entry(this.validMs);
  }

  mknod(path: string, mode: number, rdev: number, context: CallContext): Entry {
    return this.#make(path, mode, context, { rdev }).entry(this.validMs);
  }

  symlink(path: string, target: string, context: CallContext): Entry {
    return this.#make(path, FileType.symlink | 0o777, context, { target }).entry(this.validMs);
  }

  unlink(path: string): void {
    const inode = this.#find(path);
    if (isDirectory(inode)) throw new FsError("EISDIR", `Cannot unlink "${path}"`);
    this.#unlinkName(path, inode);
  }

  rmdir(path: string): void {
    const inode = this.#find(path);
    if (!isDirectory(inode)) throw new FsError("ENOTDIR", `Cannot remove "${path}"`);
    if (inode.children.size > 0) throw new FsError("ENOTEMPTY", `Cannot remove "${path}"`);
    this.#unlinkName(path, inode);
  }

  rename(from: string, to: string, flags: number): void {
    checkName(baseName(to));
    const source = this.#find(from);
    const sourceParent = this.#find(parentPath(from));
    const targetParent = this.#find(parentPath(to));
    const target = targetParent.children.get(baseName(to));
    if ((flags & RENAME_NOREPLACE) !== 0 && target !== undefined) {
      throw new FsError("EEXIST", `Cannot rename to "${to}"`);
    }
    if (isDirectory(source) && from !== to && isBelowOrEqual(to, from)) {
      throw new FsError("EINVAL", `Cannot move "${from}" below itself`);
    }
    if ((flags & RENAME_EXCHANGE) !== 0) {
      if (target === undefined) throw new FsError("ENOENT", `Cannot exchange with "${to}"`);
      sourceParent.children.set(baseName(from), target);
    } else {
      if (source === target) return;
      if (target !== undefined) checkReplace(source, target, to);
      if (target !== undefined) this.#unlinkName(to, target);
      sourceParent.children.delete(baseName(from));
    }
    targetParent.children.set(baseName(to), source);
    for (const inode of [sourceParent, targetParent]) inode.touch();
    source.change({});
  }

  open(path: string, flags: number): FileHandle {
    const inode = this.#find(path);
    if (isDirectory(inode)) throw new FsError("EISDIR", `Cannot open "${path}"`);
    const opened = parseOpenFlags(flags).truncate ? this.#truncated(inode) : inode;
    return new MemoryFileHandle(this, opened, flags);
  }

  create(path: string, flags: number, mode: number, context: CallContext): FileHandle {
    const existing = this.#find(parentPath(path)).children.get(baseName(path));
    if (existing !== undefined) {
      if (parseOpenFlags(flags).exclusive) throw new FsError("EEXIST", `Cannot create "${path}"`);
      return this.open(path, flags);
    }
    const inode = this.#make(path, FileType.file | (mode & 0o7777), context);
    return new MemoryFileHandle(this, inode, flags);
  }

  opendir(path: string): MemoryDirectoryHandle {
    const inode = this.#find(path);
    if (!isDirectory(inode)) throw new FsError("ENOTDIR", `Cannot list "${path}"`);
    return new MemoryDirectoryHandle(inode, this.validMs);
  }

  getxattr(path: string, name: string): Uint8Array {
    const value = this.#find(path).xattrs.get(name);
    if (value === undefined) throw new FsError("ENODATA", `Cannot find attribute ${name}`);
    return value;
  }

  setxattr(path: string, name: string, value: Uint8Array, flags: number): void {
    const inode = this.#find(path);
    const exists = inode.xattrs.has(name);
    if ((flags & XATTR_CREATE) !== 0 && exists) throw new FsError("EEXIST", `Cannot set ${name}`);
    if ((flags & XATTR_REPLACE) !== 0 && !exists)
      throw new FsError("ENODATA", `Cannot set ${name}`);
    inode.xattrs.set(name, value);
    inode.change({});
  }

  listxattr(path: string): readonly string[] {
    return [...this.#find(path).xattrs.keys()];
  }

  removexattr(path: string, name: string): void {
    const inode = this.#find(path);
    if (!inode.xattrs.delete(name)) throw new FsError("ENODATA", `Cannot find attribute ${name}`);
    inode.change({});
  }

  statfs(): StatFs {
    const blocks = 2 ** 28;
    const free = { bfree: blocks, bavail: blocks, files: 2 ** 32, ffree: 2 ** 32 };
    return { bsize: 4096, blocks, ...free, namelen: 255 };
  }

  publish(inode: MemoryInode): void {
    const old = this.#unpublished.get(inode);
    if (old === undefined) return;
    this.#unpublished.delete(inode);
    const parent = old.isLinked ? parentOf(old, this.#root) : undefined;
    if (parent === undefined) return;
    for (const [name, child] of parent.children) {
      if (child === old) parent.children.set(name, inode);
    }
    inode.isLinked = true;
    old.isLinked = false;
    old.holders++;
    old.release();
  }

  #truncated(inode: MemoryInode): MemoryInode {
    if (this.#options.replaceOnTruncate !== true || inode.size === 0) {
      inode.change({ size: 0 });
      return inode;
    }
    const { ino, mode, uid, gid } = inode;
    const replacement = new MemoryInode({
      ino,
      mode,
      uid,
      gid,
      generation: ++this.#lastGeneration,
      content: this.#content(),
    });
    replacement.isLinked = false;
    this.#unpublished.set(replacement, inode);
    return replacement;
  }

  #content(): FileContent {
    const { backingDirectory } = this.#options;
    return backingDirectory === undefined
      ? new MemoryContent()
      : new BackedContent(backingDirectory);
  }

  #make(
    path: string,
    mode: number,
    context: CallContext,
    extra: Pick<InodeSeed, "rdev" | "target"> = {},
  ): MemoryInode {
    const name = baseName(path);
    checkName(name);
    const parent = this.#find(parentPath(path));
    if (!isDirectory(parent)) throw new FsError("ENOTDIR", `Cannot create "${path}"`);
    if (parent.children.has(name)) throw new FsError("EEXIST", `Cannot create "${path}"`);
    // a setgid directory hands down its group, and the bit to directories
    const inherits = (parent.mode & S_ISGID) !== 0;
    const isDir = (mode & FileType.mask) === FileType.directory;
    const inode = new MemoryInode({
      ino: ++this.#lastIno,
      generation: 0,
      mode: inherits && isDir ? mode | S_ISGID : mode,
      uid: context.uid,
      gid: inherits ? parent.gid : context.gid,
      ...((mode & FileType.mask) === FileType.file && { content: this.#content() }),
      ...extra,
    });
    parent.children.set(name, inode);
    parent.touch();
    return inode;
  }

  #unlinkName(path: string, inode: MemoryInode): void {
    const parent = this.#find(parentPath(path));
    parent.children.delete(baseName(path));
    parent.touch();
    inode.isLinked = false;
    inode.change({});
    inode.holders++;
    inode.release();
  }

  #find(path: string): MemoryInode {
    return findInode(this.#root, path);
  }
}
