// Path <-> key: the key is the mount's prefix, taken as it is, followed by the relative path.
import { FsError } from "../posix/errno.ts";
import { NAME_MAX } from "../posix/path.ts";
import type { ObjectKey } from "./object-store.ts";

/** Longest key S3 takes, in bytes of UTF-8. */
export const KEY_MAX = 1024;

// with the u flag, paired surrogates are one character of another class
const loneSurrogate = /\p{Surrogate}/u;

/** The key of a path; "/" is the prefix itself. Rejects with ENAMETOOLONG or EILSEQ what no key can be. */
export function keyOfPath(prefix: string, path: string): ObjectKey {
  return checkedKey(prefix + path.slice(1));
}

/** The key of a directory's marker, which is also the prefix of all below it; "/" gives the mount's prefix. */
export function directoryKeyOfPath(prefix: string, path: string): ObjectKey {
  return path === "/" ? (prefix as ObjectKey) : checkedKey(`${prefix}${path.slice(1)}/`);
}

function checkedKey(key: string): ObjectKey {
  // 341 UTF-16 units encode to at most 1023 bytes
  if (key.length > 341 && Buffer.byteLength(key) > KEY_MAX) {
    throw new FsError("ENAMETOOLONG", `Cannot use a key of more than ${KEY_MAX} bytes`);
  }
  if (loneSurrogate.test(key)) throw new FsError("EILSEQ", "Cannot use a name that is not Unicode");
  return key as ObjectKey;
}

/**
 * The path of a key below `prefix`, or undefined for one that no path names: outside the prefix, or with components
 * that are empty, ".", "..", longer than 255 bytes, or that hold a NUL. A marker `dir/` gives `/dir`.
 */
export function pathOfKey(prefix: string, key: string): string | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const end = key.endsWith("/") ? key.length - 1 : key.length;
  const relative = key.slice(prefix.length, Math.max(end, prefix.length));
  if (relative === "") return key.length === prefix.length ? "/" : undefined;
  return isValidRelativePath(relative) ? `/${relative}` : undefined;
}

/** Whether a key is the marker of a directory. */
export function isDirectoryMarker(key: string): boolean {
  return key.endsWith("/");
}

/** Whether each component, separated by "/", can be a file name. */
export function isValidRelativePath(relative: string): boolean {
  return relative.split("/").every(isValidName);
}

function isValidName(name: string): boolean {
  if (name === "" || name === "." || name === "..") return false;
  if (name.includes("\0") || loneSurrogate.test(name)) return false;
  return name.length <= 85 || Buffer.byteLength(name) <= NAME_MAX;
}
