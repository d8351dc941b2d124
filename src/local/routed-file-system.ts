// FileSystem of two: names of the root that are kept on the local disk, with all below them, and the rest.
import type {
  CallContext,
  Change,
  DirectoryEntry,
  DirectoryHandle,
  FileSystem,
  MaybePromise,
} from "../fs/file-system.ts";
import { log } from "../log.ts";
import { FsError } from "../posix/errno.ts";
import { MergedDirectoryHandle } from "./merged-directory.ts";

/** A call goes to the file system that its path's first component says; what both have is the local one's. */
export class RoutedFileSystem implements FileSystem {
  readonly #core: FileSystem;
  readonly #local: FileSystem;
  readonly #names: ReadonlySet<string>;
  readonly #told = new Set<string>();

  constructor(core: FileSystem, local: FileSystem, names: readonly string[]) {
    this.#core = core;
    this.#local = local;
    this.#names = new Set(names);
  }

  /** Whether `path` is on the local disk, whether it is there or not. */
  isLocal(path: string): boolean {
    const end = path.indexOf("/", 1);
    return this.#names.has(end < 0 ? path.slice(1) : path.slice(1, end));
  }

  /** Says once that the bucket has this name too. */
  tellHidden(name: string): void {
    if (this.#told.has(name)) return;
    this.#told.add(name);
    log.warn(
      "The bucket has objects below %s/: local_prefix=%s hides them (docs/SYNAPSE.md says how to be rid of them)",
      name,
      name,
    );
  }

  onChange(listener: (change: Change) => void): void {
    this.#core.onChange((change) => {
      if (!this.isLocal(change.path)) listener(change);
    });
    this.#local.onChange(listener);
  }

  rename(from: string, to: string, flags: number, context: CallContext): MaybePromise<void> {
    if (this.isLocal(from) === this.isLocal(to)) {
      return this.#of(from).rename(from, to, flags, context);
    }
    // as between two disks: mv(1) then copies
    throw new FsError("EXDEV", `Cannot rename "${from}" to "${to}": only one is on the local disk`);
  }

  opendir(path: string, context: CallContext): MaybePromise<DirectoryHandle> {
    return path === "/" ? this.#openRoot(context) : this.#of(path).opendir(path, context);
  }

  lookup: FileSystem["lookup"] = (path, context) => this.#of(path).lookup(path, context);

  getattr: FileSystem["getattr"] = (path, context) => this.#of(path).getattr(path, context);

  setattr: FileSystem["setattr"] = (path, changes, context) =>
    this.#of(path).setattr(path, changes, context);

  readlink: FileSystem["readlink"] = (path, context) => this.#of(path).readlink(path, context);

  mkdir: FileSystem["mkdir"] = (path, mode, context) => this.#of(path).mkdir(path, mode, context);

  mknod: FileSystem["mknod"] = (path, mode, rdev, context) =>
    this.#of(path).mknod(path, mode, rdev, context);

  symlink: FileSystem["symlink"] = (path, target, context) =>
    this.#of(path).symlink(path, target, context);

  unlink: FileSystem["unlink"] = (path, context) => this.#of(path).unlink(path, context);

  rmdir: FileSystem["rmdir"] = (path, context) => this.#of(path).rmdir(path, context);

  open: FileSystem["open"] = (path, flags, context) => this.#of(path).open(path, flags, context);

  create: FileSystem["create"] = (path, flags, mode, context) =>
    this.#of(path).create(path, flags, mode, context);

  getxattr: FileSystem["getxattr"] = (path, name, context) =>
    this.#of(path).getxattr(path, name, context);

  setxattr: FileSystem["setxattr"] = (path, name, value, flags, context) =>
    this.#of(path).setxattr(path, name, value, flags, context);

  listxattr: FileSystem["listxattr"] = (path, context) => this.#of(path).listxattr(path, context);

  removexattr: FileSystem["removexattr"] = (path, name, context) =>
    this.#of(path).removexattr(path, name, context);

  /** The bucket's: what programs ask before they write there. */
  statfs: FileSystem["statfs"] = (context) => this.#core.statfs(context);

  #of(path: string): FileSystem {
    return this.isLocal(path) ? this.#local : this.#core;
  }

  async #openRoot(context: CallContext): Promise<DirectoryHandle> {
    const core = await this.#core.opendir("/", context);
    try {
      const local = await this.#localNames(context);
      return new MergedDirectoryHandle(core, local, (name) => {
        if (!this.#names.has(name)) return false;
        this.tellHidden(name);
        return true;
      });
    } catch (error) {
      core.release();
      throw error;
    }
  }

  async #localNames(context: CallContext): Promise<DirectoryEntry[]> {
    const found: DirectoryEntry[] = [];
    for (const name of this.#names) {
      const entry = await this.#local.lookup(`/${name}`, context);
      if (entry !== undefined) found.push({ name, ...entry });
    }
    return found;
  }
}
