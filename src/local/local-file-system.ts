// FileSystem over a plain directory: each call is the disk's own, on a place that no link can bend (directory-tree.ts).
import { type BigIntStats, constants } from "node:fs";
import {
  lstat,
  mkdir,
  type FileHandle as OpenFile,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import {
  type AttributeChanges,
  type CallContext,
  type DirectoryHandle,
  type Entry,
  type FileHandle,
  type FileSystem,
  RENAME_NOREPLACE,
} from "../fs/file-system.ts";
import { Errno, errnoOf, FsError, toSystemFsError } from "../posix/errno.ts";
import { O_ACCMODE, O_APPEND, O_TRUNC, parseOpenFlags } from "../posix/open-flags.ts";
import { FileType, type StatFs } from "../posix/stat.ts";
import { descriptorPath, DirectoryTree, withObject } from "./directory-tree.ts";
import { changeAttributes, giveToMaker, LocalXattrs } from "./local-attributes.ts";
import { LocalDirectoryHandle, statIfThere } from "./local-directory-handle.ts";
import { LocalHandle, type LocalHost } from "./local-handle.ts";
import { entryOfFile } from "./local-stat.ts";

const CREATE = constants.O_CREAT | constants.O_EXCL;
// the kernel of the mount has followed links already; what became a fifo meanwhile must not hold a thread
const PLAIN = constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Of what is not its maker's yet. */
const PRIVATE = 0o700;

export class LocalFileSystem implements FileSystem {
  readonly #tree: DirectoryTree;
  readonly #host: LocalHost;
  readonly #xattrs: LocalXattrs;

  /** `root` is the directory whose names are those of the mount's root. */
  constructor(root: string, host: LocalHost) {
    this.#tree = new DirectoryTree(root);
    this.#host = host;
    this.#xattrs = new LocalXattrs(host.system);
  }

  lookup(path: string): Promise<Entry | undefined> {
    return named("look up", path, async () => {
      const file = await this.#inParent(path, (place) => statIfThere(place));
      return file && entryOfFile(file);
    });
  }

  getattr(path: string): Promise<Entry> {
    return named("stat", path, () =>
      this.#tree.at(path, async (place) => entryOfFile(await lstat(place, { bigint: true }))),
    );
  }

  setattr(path: string, changes: AttributeChanges): Promise<Entry> {
    return named("change", path, () =>
      this.#withObject(path, async (object, handle) => {
        if (changes.size !== undefined) await this.#truncate(object, handle, changes.size);
        const file = await handle.stat({ bigint: true });
        await changeAttributes(object, file, changes, this.#host.system);
        return entryOfFile(await handle.stat({ bigint: true }));
      }),
    );
  }

  readlink(path: string): Promise<string> {
    return named("read link", path, () => this.#tree.at(path, (place) => readlink(place)));
  }

  mkdir(path: string, mode: number, context: CallContext): Promise<Entry> {
    return this.#make(path, mode, context, (place) => mkdir(place, PRIVATE));
  }

  mknod(path: string, mode: number, rdev: number, context: CallContext): Promise<Entry> {
    const type = mode & FileType.mask;
    return this.#make(path, mode, context, async (place) => {
      if (type === FileType.file) return writeFile(place, "", { flag: "wx", mode: PRIVATE });
      const { system } = this.#host;
      if (system === undefined) throw new FsError("EPERM", "Cannot make a special file");
      return system.mknod(place, type | PRIVATE, rdev);
    });
  }

  symlink(path: string, target: string, context: CallContext): Promise<Entry> {
    return this.#make(path, 0o777, context, (place) => symlink(target, place));
  }

  async unlink(path: string): Promise<void> {
    await named("remove", path, () => this.#tree.at(path, (place) => unlink(place)));
    this.#host.changed();
  }

  async rmdir(path: string): Promise<void> {
    await named("remove", path, () => this.#tree.at(path, (place) => rmdir(place)));
    this.#tree.forget(path);
  }

  async rename(from: string, to: string, flags: number): Promise<void> {
    if ((flags & ~RENAME_NOREPLACE) !== 0) {
      throw new FsError("EINVAL", `Cannot rename "${from}": names are not exchanged here`);
    }
    await named("rename", from, () =>
      this.#tree.at(from, (source) =>
        this.#tree.at(to, async (target) => {
          // the kernel holds both directories: nobody makes the name meanwhile
          if ((flags & RENAME_NOREPLACE) !== 0 && (await statIfThere(target)) !== undefined) {
            throw new FsError("EEXIST", `Cannot rename "${from}" to "${to}": it exists`);
          }
          await rename(source, target).catch(asNotEmpty);
        }),
      ),
    );
    this.#tree.forget(from);
    this.#tree.forget(to);
    this.#host.changed();
  }

  open(path: string, flags: number): Promise<FileHandle> {
    return named("open", path, async () => {
      const { writable, truncate } = parseOpenFlags(flags);
      if (writable) await this.#host.room.look();
      const mode = diskFlags(flags) | (flags & O_TRUNC);
      const file = await this.#tree.at(path, (place) => open(place, mode));
      if (truncate) this.#host.changed();
      return this.#handle(file, flags);
    });
  }

  async create(
    path: string,
    flags: number,
    mode: number,
    context: CallContext,
  ): Promise<FileHandle> {
    try {
      return await named("create", path, () => this.#create(path, flags, mode, context));
    } catch (error) {
      const mayBeThere = !parseOpenFlags(flags).exclusive;
      if (mayBeThere && errnoOf(error) === Errno.EEXIST) return this.open(path, flags);
      throw error;
    }
  }

  opendir(path: string): Promise<DirectoryHandle> {
    return named("list", path, async () => {
      const names = await this.#tree.inside(path, (place) => readdir(place));
      return new LocalDirectoryHandle(this.#tree, path, names);
    });
  }

  getxattr(path: string, name: string): Promise<Uint8Array> {
    return this.#attribute(path, (object) => this.#xattrs.get(object, name));
  }

  setxattr(path: string, name: string, value: Uint8Array, flags: number): Promise<void> {
    return this.#attribute(path, (object) => this.#xattrs.set(object, name, value, flags));
  }

  listxattr(path: string): Promise<readonly string[]> {
    return this.#attribute(path, (object) => this.#xattrs.list(object));
  }

  removexattr(path: string, name: string): Promise<void> {
    return this.#attribute(path, (object) => this.#xattrs.remove(object, name));
  }

  statfs(): StatFs {
    throw new FsError("ENOSYS", "Cannot tell of a mount: this is a part of one");
  }

  /** Nothing changes behind the kernel's back. */
  onChange(): void {}

  /** No call may be under way. */
  close(): void {
    this.#tree.close();
  }

  async #create(
    path: string,
    flags: number,
    mode: number,
    context: CallContext,
  ): Promise<FileHandle> {
    await this.#host.room.look();
    return this.#tree.at(path, async (place, directory) => {
      const file = await open(place, CREATE | diskFlags(flags), PRIVATE);
      try {
        const made = await file.stat({ bigint: true });
        const parent = await stat(directory, { bigint: true });
        await giveToMaker(descriptorPath(file.fd), made, parent, mode, context);
        return await this.#handle(file, flags);
      } catch (error) {
        await file.close();
        await unlink(place);
        throw error;
      }
    });
  }

  async #handle(file: OpenFile, flags: number): Promise<FileHandle> {
    const { mode } = await file.stat();
    if ((mode & FileType.mask) === FileType.file) {
      return new LocalHandle(file, parseOpenFlags(flags).writable, this.#host);
    }
    await file.close();
    throw new FsError("EISDIR", "Cannot open what is not a regular file");
  }

  /** Makes something with `create` and gives it to its maker; takes it back when that fails. */
  #make(
    path: string,
    mode: number,
    context: CallContext,
    create: (place: string) => Promise<void>,
  ): Promise<Entry> {
    return named("make", path, () =>
      this.#tree.at(path, async (place, directory) => {
        await create(place);
        const parent = await stat(directory, { bigint: true });
        return withObject(place, async (object, handle) => {
          const made: BigIntStats = await handle.stat({ bigint: true });
          await giveToMaker(object, made, parent, mode, context);
          return entryOfFile(await handle.stat({ bigint: true }));
        });
      }),
    );
  }

  async #truncate(object: string, handle: OpenFile, size: number): Promise<void> {
    const { mode } = await handle.stat();
    const type = mode & FileType.mask;
    if (type === FileType.directory) throw new FsError("EISDIR", "Cannot truncate a directory");
    if (type !== FileType.file) throw new FsError("EINVAL", "Cannot truncate a special file");
    const file = await open(object, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await file.truncate(size);
    } finally {
      await file.close();
    }
    this.#host.changed();
  }

  /** As `tree.at`, undefined when the directory is not there. */
  async #inParent<T>(path: string, work: (place: string) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#tree.at(path, work);
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) return undefined;
      throw error;
    }
  }

  #withObject<T>(path: string, work: (object: string, handle: OpenFile) => Promise<T>): Promise<T> {
    return this.#tree.at(path, (place) => withObject(place, work));
  }

  #attribute<T>(path: string, work: (object: string) => Promise<T>): Promise<T> {
    return named("use an attribute of", path, () => this.#withObject(path, async (o) => work(o)));
  }
}

function diskFlags(flags: number): number {
  const access = flags & O_ACCMODE;
  // 3 is for ioctl(2) only
  return (access === O_ACCMODE ? constants.O_RDWR : access) | (flags & O_APPEND) | PLAIN;
}

// XFS says EEXIST
function asNotEmpty(error: unknown): never {
  if (errnoOf(error) !== Errno.EEXIST) throw error;
  throw new FsError("ENOTEMPTY", "Cannot replace a directory that is not empty", { cause: error });
}

/** Errors of the disk with what was tried. */
async function named<T>(action: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toSystemFsError(error, `Cannot ${action} "${path}"`);
  }
}
