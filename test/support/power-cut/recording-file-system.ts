import type {
  AttributeChanges,
  CallContext,
  DirectoryHandle,
  FileHandle,
  FileSystem,
} from "../../../src/fs/file-system.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { parseOpenFlags } from "../../../src/posix/open-flags.ts";
import { baseName, parentPath } from "../../../src/posix/path.ts";
import { FileType } from "../../../src/posix/stat.ts";
import type { MemoryFileSystem } from "../memory-file-system.ts";
import type { DiskChange, DiskOperation } from "./disk-log.ts";

/** Passes everything through to a file system in memory, and notes what a power cut could undo, in order. */
export class RecordingFileSystem {
  readonly log: DiskOperation[] = [];
  readonly fileSystem: FileSystem;
  readonly #inner: MemoryFileSystem;

  constructor(inner: MemoryFileSystem) {
    this.#inner = inner;
    const changes: Partial<FileSystem> = {
      mkdir: (path, mode, context) => {
        const entry = inner.mkdir(path, mode, context);
        this.#note({ do: "mkdir", ...this.#nameOf(path), ino: entry.stat.ino });
        return entry;
      },
      mknod: (path, mode, rdev, context) => {
        const entry = inner.mknod(path, mode, rdev, context);
        if ((mode & FileType.mask) !== FileType.file) return entry;
        this.#note({ do: "create", ...this.#nameOf(path), ino: entry.stat.ino });
        return entry;
      },
      unlink: (path) => this.#remove("unlink", path, () => inner.unlink(path)),
      rmdir: (path) => this.#remove("rmdir", path, () => inner.rmdir(path)),
      rename: (from, to, flags) => this.#rename(from, to, flags),
      setattr: (path, given) => {
        const entry = inner.setattr(path, given);
        this.#noteSize(entry.stat.ino, given);
        return entry;
      },
      create: (path, flags, mode, context) => {
        const isNew = inner.lookup(path) === undefined;
        const handle = inner.create(path, flags, mode, context);
        const { ino } = handle.entry().stat;
        if (isNew) this.#note({ do: "create", ...this.#nameOf(path), ino });
        else if (parseOpenFlags(flags).truncate) this.#note({ do: "truncate", ino, size: 0 });
        return this.#handle(handle);
      },
      open: (path, flags) => {
        const handle = inner.open(path, flags);
        const { ino } = handle.entry().stat;
        if (parseOpenFlags(flags).truncate) this.#note({ do: "truncate", ino, size: 0 });
        return this.#handle(handle);
      },
      opendir: (path) => this.#directory(inner.getattr(path).stat.ino, inner.opendir(path)),
    };
    this.fileSystem = over(inner as FileSystem, changes);
  }

  #handle(handle: FileHandle): FileHandle {
    const { ino } = handle.entry().stat;
    return over(handle, {
      // the kernel may not write by itself: it would go unseen
      backing: () => undefined,
      write: (offset: number, data: Uint8Array, context: CallContext) => {
        const written = handle.write(offset, data, context);
        this.#note({ do: "write", ino, offset, data: Uint8Array.from(data) });
        return written;
      },
      setattr: (given: AttributeChanges, context: CallContext) => {
        const entry = handle.setattr(given, context);
        this.#noteSize(ino, given);
        return entry;
      },
      fsync: () => this.#note({ do: "sync", ino }),
      fallocate: () => {
        throw new FsError("EOPNOTSUPP", "Cannot allocate: it would not be recorded");
      },
    });
  }

  #directory(ino: number, handle: DirectoryHandle): DirectoryHandle {
    return over(handle, { fsync: () => this.#note({ do: "sync", ino }) });
  }

  #remove(what: "unlink" | "rmdir", path: string, remove: () => void): void {
    const ino = this.#inner.getattr(path).stat.ino;
    remove();
    this.#note({ do: what, ...this.#nameOf(path), ino });
  }

  #rename(from: string, to: string, flags: number): void {
    const ino = this.#inner.getattr(from).stat.ino;
    this.#inner.rename(from, to, flags);
    const { parent, name } = this.#nameOf(from);
    const target = this.#nameOf(to);
    const places = { parent, name, toParent: target.parent, toName: target.name };
    this.#note({ do: "rename", ...places, ino });
  }

  #noteSize(ino: number, { size }: AttributeChanges): void {
    if (size !== undefined) this.#note({ do: "truncate", ino, size });
  }

  #nameOf(path: string): { parent: number; name: string } {
    return { parent: this.#inner.getattr(parentPath(path)).stat.ino, name: baseName(path) };
  }

  #note(change: DiskChange): void {
    this.log.push({ ...change, at: process.hrtime.bigint() });
  }
}

/** `target` with some methods replaced. */
function over<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (_, key) => {
      const own: unknown = Reflect.get(methods, key);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
