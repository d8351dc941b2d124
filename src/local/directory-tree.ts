// Places below the local directory, never by way of a symbolic link: users of the mount may exchange a directory for a
// link to elsewhere while a call is under way, and this process may be root's.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { log } from "../log.ts";
import { baseName, isBelowOrEqual, parentPath } from "../posix/path.ts";

/** Of Linux on every architecture; Node does not name it: a descriptor that stands for a place, for no reads and writes. */
export const O_PATH = 0o10000000;

const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const MOST_KEPT = 64;

/** A directory that is held open, and for how many calls. */
interface Directory {
  readonly opening: Promise<FileHandle>;
  users: number;
  /** No longer found by its path. */
  isForgotten: boolean;
}

/**
 * Directories of the mount as descriptors, each opened relative to its parent's. They stay open for the next call, since
 * all changes of names come through here: forget() is told of each.
 */
export class DirectoryTree {
  readonly #root: string;
  /** By path in the mount; the least recently used first. */
  readonly #directories = new Map<string, Directory>();

  /** `root` is where the mount's "/" would be. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Calls `work` with a path of the directory; ENOENT or ENOTDIR when it is none. */
  async inside<T>(path: string, work: (place: string) => Promise<T>): Promise<T> {
    const directory = this.#use(path);
    try {
      return await work(descriptorPath((await directory.opening).fd));
    } finally {
      this.#unuse(directory);
    }
  }

  /** Calls `work` with a path whose last component is the name's, in its directory: calls must not follow a link there. */
  at<T>(path: string, work: (place: string, directory: string) => Promise<T>): Promise<T> {
    return this.inside(parentPath(path), (directory) =>
      work(`${directory}/${baseName(path)}`, directory),
    );
  }

  /** What stood at `path`, or below it, is elsewhere now. */
  forget(path: string): void {
    for (const [key, directory] of this.#directories) {
      if (isBelowOrEqual(key, path)) this.#drop(key, directory);
    }
  }

  /** No call may be under way. */
  close(): void {
    this.forget("/");
  }

  #use(path: string): Directory {
    const known = this.#directories.get(path);
    const directory = known ?? { opening: this.#open(path), users: 0, isForgotten: false };
    directory.users += 1;
    this.#directories.delete(path);
    this.#directories.set(path, directory);
    if (known === undefined) {
      directory.opening.catch(() => this.#dropIfSame(path, directory));
      this.#dropOldest();
    }
    return directory;
  }

  #open(path: string): Promise<FileHandle> {
    if (path === "/") return open(this.#root, DIRECTORY);
    return this.at(path, (place) => open(place, DIRECTORY));
  }

  #unuse(directory: Directory): void {
    directory.users -= 1;
    if (directory.users === 0 && directory.isForgotten) closeLater(directory.opening);
  }

  #dropOldest(): void {
    for (const [path, directory] of this.#directories) {
      if (this.#directories.size <= MOST_KEPT) return;
      if (directory.users === 0) this.#drop(path, directory);
    }
  }

  #dropIfSame(path: string, directory: Directory): void {
    if (this.#directories.get(path) === directory) this.#drop(path, directory);
  }

  #drop(path: string, directory: Directory): void {
    this.#directories.delete(path);
    directory.isForgotten = true;
    if (directory.users === 0) closeLater(directory.opening);
  }
}

/** A path that leads to what an open descriptor stands for, whatever it is called now. */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** Calls `work` with a path to exactly what has the name `place` now, a link itself and not its target. */
export async function withObject<T>(
  place: string,
  work: (object: string, handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await open(place, O_PATH | constants.O_NOFOLLOW);
  try {
    return await work(descriptorPath(handle.fd), handle);
  } finally {
    await handle.close();
  }
}

function closeLater(opening: Promise<FileHandle>): void {
  const closed = opening.then(
    (handle) => handle.close(),
    () => undefined,
  );
  closed.catch((error: unknown) => log.debug("Cannot close a directory: %s", String(error)));
}
