// Namespace entries to what stat(2) shows, and the entries of new things.
import { FileType, nowNs, type Stat } from "../../posix/stat.ts";
import { ROOT_INO } from "../../state/mount-state.ts";
import type { LocalAttributes, NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions } from "../core-options.ts";
import type { Entry } from "../file-system.ts";

/** Longest time the kernel keeps what only we can change; notifications take it back earlier. */
const OWN_VALID_MS = 60_000;

export function statOf(entry: NamespaceEntry): Stat {
  const isDirectory = (entry.mode & FileType.mask) === FileType.directory;
  return {
    ino: entry.ino,
    generation: entry.generation,
    mode: entry.mode,
    nlink: isDirectory ? 2 : 1,
    uid: entry.uid,
    gid: entry.gid,
    rdev: entry.rdev,
    size: isDirectory ? 4096 : entry.size,
    atime: entry.atime,
    mtime: entry.mtime,
    ctime: entry.ctime,
  };
}

/** The entry as a caller sees it; the kernel may keep it for as long as we believe it ourselves: `covered` has no end. */
export function entryOf(entry: NamespaceEntry, covered = false): Entry {
  const left = covered && entry.until > 0 ? Infinity : entry.until - Date.now();
  return { stat: statOf(entry), validMs: Math.max(0, Math.min(left, OWN_VALID_MS)) };
}

/** The part of an entry that only this host knows. */
export function localAttributesOf(entry: NamespaceEntry): LocalAttributes {
  return {
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    ...(entry.rdev === 0 ? {} : { rdev: entry.rdev }),
    atime: entry.atime,
    mtime: entry.mtime,
    ctime: entry.ctime,
    ...(entry.target === undefined ? {} : { target: entry.target }),
    ...(entry.xattrs === undefined ? {} : { xattrs: entry.xattrs }),
  };
}

/** Whether an object holds the name, or will: also one that stands for a directory, a symlink or a special file. */
export function isObject(entry: NamespaceEntry): boolean {
  const { mode, staged, etag, key } = entry;
  if ((mode & FileType.mask) === FileType.file) return true;
  return staged !== undefined || etag !== undefined || key !== undefined;
}

/** A new entry with its own ino; times are now. */
export function newEntry(
  ino: number,
  mode: number,
  owner: { uid: number; gid: number },
  more: Partial<NamespaceEntry> = {},
): NamespaceEntry {
  const now = nowNs();
  return {
    ino,
    generation: 0,
    mode,
    uid: owner.uid,
    gid: owner.gid,
    rdev: 0,
    size: 0,
    atime: now,
    mtime: now,
    ctime: now,
    until: Infinity,
    ...more,
  };
}

/** The entry of a fresh mount's root directory. */
export function rootEntry(owner: { uid: number; gid: number }, mode: number): NamespaceEntry {
  return newEntry(ROOT_INO, mode, owner, { local: true });
}

/** Whether mode and owner are what an object without local attributes would show. */
export function hasDefaultAttributes(entry: NamespaceEntry, options: CoreOptions): boolean {
  return (
    entry.mode === (FileType.file | options.fileMode) &&
    entry.uid === options.uid &&
    entry.gid === options.gid &&
    entry.xattrs === undefined
  );
}
