// What an object says of itself, as the attributes of its name (--metadata=object).
import { log } from "../../log.ts";
import { FileType, isDirectory, S_ISGID, S_ISUID } from "../../posix/stat.ts";
import type { ObjectInfo } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions } from "../core-options.ts";
import { attributesIn } from "./posix-metadata.ts";

/** PATH_MAX of Linux with its NUL: no longer object is a symlink. */
const TARGET_MAX = 4095;
/** `describedAt` of a directory without a marker. */
const NO_MARKER = 1;

/** Whether the entry's attributes are what they are to be told as: its own, or what its object says. */
export function isDescribed(entry: NamespaceEntry, options: CoreOptions): boolean {
  if (options.metadata !== "object") return true;
  if (entry.attributed || entry.local || entry.staged !== undefined) return true;
  return (entry.describedAt ?? 0) > 0;
}

/** The entry as a listing that shows this version leaves it: asked again if the object was touched since. */
export function asListed(entry: NamespaceEntry, object: ObjectInfo | undefined): NamespaceEntry {
  const { describedAt } = entry;
  if (describedAt === undefined || describedAt === 0) return entry;
  if (object !== undefined && secondsOf(object) <= describedAt) return entry;
  return { ...entry, describedAt: 0 };
}

/**
 * The entry with what HEAD told of its object, or of its marker; `nextIno` where it is of another type now, since a
 * kernel inode keeps its type.
 */
export function describedEntry(
  entry: NamespaceEntry,
  object: ObjectInfo,
  options: CoreOptions,
  nextIno: () => number,
): NamespaceEntry {
  const told = attributesIn(object.metadata);
  const mode = isDirectory(entry)
    ? FileType.directory | permissionsOf(told.mode, FileType.directory, options)
    : fileMode(told.mode, object, options);
  const setId = (told.mode ?? 0) & ~mode & (S_ISUID | S_ISGID);
  if (told.rejected.length > 0 || setId !== 0) report(object.key, told.rejected, setId !== 0);
  const sameType = ((mode ^ entry.mode) & FileType.mask) === 0;
  const time = BigInt(object.lastModified) * 1_000_000n;
  const mtime = told.mtime ?? (isDirectory(entry) ? entry.mtime : time);
  const { xattrs: _xattrs, target, ...rest } = entry;
  return {
    ...rest,
    // a listing that is under way knows the old ino: one ms later it counts as told since
    ...(sameType ? {} : { ino: nextIno(), until: entry.until + 1 }),
    ...(sameType && target !== undefined && entry.etag === object.etag ? { target } : {}),
    mode,
    uid: told.uid ?? options.uid,
    gid: told.gid ?? options.gid,
    rdev: isDevice(mode) ? (told.rdev ?? 0) : 0,
    mtime,
    atime: told.atime ?? mtime,
    ctime: told.ctime ?? (isDirectory(entry) ? entry.ctime : time),
    ...(told.xattrs === undefined ? {} : { xattrs: told.xattrs }),
    etag: object.etag,
    describedAt: secondsOf(object),
  };
}

/** The entry of a name whose object is another one now, before that was asked. */
export function otherVersion(entry: NamespaceEntry): NamespaceEntry {
  const { target: _target, ...rest } = entry;
  return entry.describedAt === undefined ? rest : { ...rest, describedAt: 0 };
}

/** The entry of a directory that keys imply and no marker describes. */
export function unmarked(entry: NamespaceEntry, options: CoreOptions): NamespaceEntry {
  const { etag: _etag, marker: _marker, xattrs: _xattrs, ...rest } = entry;
  const { uid, gid, dirMode } = options;
  // any marker is later than that
  return { ...rest, mode: FileType.directory | dirMode, uid, gid, describedAt: NO_MARKER };
}

/** Last-Modified in whole seconds: HEAD tells no more, listings may. */
export function secondsOf(object: ObjectInfo): number {
  return Math.max(1, Math.floor(object.lastModified / 1000));
}

/** A symlink is as long as a path, a special file is empty; what claims otherwise is a file. */
function fileMode(told: number | undefined, object: ObjectInfo, options: CoreOptions): number {
  const type = (told ?? 0) & FileType.mask;
  const isLink = type === FileType.symlink && object.size > 0 && object.size <= TARGET_MAX;
  const isSpecial = specialTypes.has(type) && object.size === 0;
  const shown = isLink || isSpecial ? type : FileType.file;
  // a directory's permissions mean something else
  return shown | permissionsOf(type === FileType.directory ? undefined : told, shown, options);
}

/** set-id bits of files are anybody's who can write to the bucket: they are not believed. */
function permissionsOf(told: number | undefined, type: number, options: CoreOptions): number {
  const isDir = type === FileType.directory;
  if (told === undefined) return isDir ? options.dirMode : options.fileMode;
  return told & (isDir ? 0o3777 : 0o1777);
}

const specialTypes: ReadonlySet<number> = new Set([
  FileType.fifo,
  FileType.socket,
  FileType.characterDevice,
  FileType.blockDevice,
]);

function isDevice(mode: number): boolean {
  const type = mode & FileType.mask;
  return type === FileType.characterDevice || type === FileType.blockDevice;
}

let reported = false;

/** Once per run: a bucket of them would fill the log. */
function report(key: string, rejected: readonly string[], setId: boolean): void {
  if (reported) return;
  reported = true;
  const what = setId ? [...rejected, "set-id bits"] : rejected;
  log.warn("Metadata of objects is not used where it makes no sense: %s of %j", what, key);
}
