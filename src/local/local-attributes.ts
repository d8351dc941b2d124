// Changes of attributes, on a path that leads to one file exactly (directory-tree.ts).
import type { BigIntStats } from "node:fs";
import { chmod, chown, utimes } from "node:fs/promises";
import type { AttributeChanges, CallContext } from "../fs/file-system.ts";
import type { AttributeCalls } from "../posix/attribute-calls.ts";
import { Errno, errnoOf, FsError } from "../posix/errno.ts";
import {
  FileType,
  isDirectory,
  type Nanoseconds,
  S_ISGID,
  withoutPrivileges,
} from "../posix/stat.ts";

/** chown(2) leaves an id of -1 as it is. */
const SAME = -1;
const PERMISSIONS = 0o7777;
const VALUE_MAX = 65_536;

/** Everything but the size; `file` is what the object was before. */
export async function changeAttributes(
  object: string,
  file: BigIntStats,
  changes: AttributeChanges,
  system: AttributeCalls | undefined,
): Promise<void> {
  const { uid, gid } = changes;
  if (uid !== undefined || gid !== undefined) await chown(object, uid ?? SAME, gid ?? SAME);
  await changeMode(object, Number(file.mode), changes);
  const { atime, mtime } = changes;
  if (atime === undefined && mtime === undefined) return;
  if (system !== undefined) {
    await system.utimens(object, {
      ...(atime === undefined ? {} : { atime }),
      ...(mtime === undefined ? {} : { mtime }),
    });
  } else {
    await utimes(object, seconds(atime ?? file.atimeNs), seconds(mtime ?? file.mtimeNs));
  }
}

async function changeMode(object: string, old: number, changes: AttributeChanges): Promise<void> {
  const wanted = changes.mode ?? old;
  const isFile = (old & FileType.mask) === FileType.file;
  const mode = changes.killPrivileges && isFile ? withoutPrivileges(wanted) : wanted;
  if (changes.mode === undefined && mode === old) return;
  await chmod(object, mode & PERMISSIONS);
}

// Node has microseconds at best
function seconds(time: Nanoseconds | "now"): number {
  return time === "now" ? Date.now() / 1000 : Number(time) / 1e9;
}

/**
 * Gives what was just made to its maker, below `parent`, with the mode that was asked for. Where this process may not
 * give away, what it makes stays its own.
 */
export async function giveToMaker(
  object: string,
  made: BigIntStats,
  parent: BigIntStats,
  mode: number,
  { uid, gid }: CallContext,
): Promise<void> {
  const isInherited = (Number(parent.mode) & S_ISGID) !== 0;
  const type = { mode: Number(made.mode) };
  try {
    await chown(object, uid, isInherited ? Number(parent.gid) : gid);
  } catch (error) {
    // EINVAL: a user that this user namespace does not know
    const errno = errnoOf(error);
    if (errno !== Errno.EPERM && errno !== Errno.EINVAL) throw error;
  }
  if ((type.mode & FileType.mask) === FileType.symlink) return;
  const handedDown = isInherited && isDirectory(type) ? S_ISGID : 0;
  await chmod(object, (mode & PERMISSIONS) | handedDown);
}

/** Extended attributes of one object; the rules are those of the rest of the mount. */
export class LocalXattrs {
  readonly #system: AttributeCalls | undefined;

  constructor(system: AttributeCalls | undefined) {
    this.#system = system;
  }

  get(object: string, name: string): Promise<Uint8Array> {
    return this.#calls(name).getxattr(object, name);
  }

  set(object: string, name: string, value: Uint8Array, flags: number): Promise<void> {
    if (value.length > VALUE_MAX) throw new FsError("E2BIG", `Cannot set "${name}": over 64 KiB`);
    return this.#calls(name).setxattr(object, name, value, flags);
  }

  async list(object: string): Promise<readonly string[]> {
    const names = (await this.#system?.listxattr(object)) ?? [];
    return names.filter(isKept);
  }

  remove(object: string, name: string): Promise<void> {
    return this.#calls(name).removexattr(object, name);
  }

  #calls(name: string): AttributeCalls {
    if (this.#system !== undefined && isKept(name)) return this.#system;
    throw new FsError("EOPNOTSUPP", `Cannot use the extended attribute "${name}": user.* only`);
  }
}

// security.* and system.* mean something to the kernel, trusted.overlay.* to the disk's own file system
function isKept(name: string): boolean {
  return name.startsWith("user.") || /^trusted\.(?!overlay\.)/.test(name);
}
