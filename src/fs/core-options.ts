// What the core needs to know of the mount's options, and how it sees keys.
import type { AllocateMemory } from "../posix/page-aligned.ts";
import type { ObjectKey } from "../s3/object-store.ts";

export interface CoreOptions {
  /** Owner of what has no owner of its own. */
  readonly uid: number;
  readonly gid: number;
  /** Permission bits of objects and of directories that nobody set. */
  readonly fileMode: number;
  readonly dirMode: number;
  /** How long what S3 said is believed. */
  readonly statCacheTtlMs: number;
  readonly negativeTtlMs: number;
  /** When flush and fsync are answered: after the local disk, or after S3. */
  readonly ack: "disk" | "s3";
  /** How long a closed file waits before its upload begins. */
  readonly publishDelayMs: number;
  /** Whether mode, owner, times and xattrs are kept on this host only, or in the objects too. */
  readonly metadata: "index" | "object";
  readonly readOnly: boolean;
  /** Whether others may write below the prefix. */
  readonly sharing: "shared" | "exclusive";
  /** With sharing=exclusive: ms between crawls of the bucket; 0: only when asked. */
  readonly refreshIntervalMs: number;
  /** Whether mkdir(2) writes a `name/` object for tools that need one. */
  readonly directoryMarkers: boolean;
  /** Bytes of buffers for reading, all files together. */
  readonly memoryLimit: number;
  /** Where that memory comes from; anywhere without. */
  readonly allocate?: AllocateMemory;
}

/** Paths of the mount to keys of the bucket and back. */
export interface KeyMap {
  /** The key of a file's path; rejects with ENAMETOOLONG over 1024 bytes. For "/" the prefix itself. */
  toKey(path: string): ObjectKey;
  /** Undefined for keys that no path can name (empty, "." or ".." components, over-long names, outside the prefix); a trailing "/" is a marker's and is dropped. */
  toPath(key: string): string | undefined;
}

/** What the keys below a directory begin with. */
export function prefixOf(keys: KeyMap, path: string): string {
  const key = keys.toKey(path);
  return path === "/" ? key : `${key}/`;
}
