// What the state folder remembers of one name: the record that the index, the overlay and the redo log share.
import type { Nanoseconds } from "../posix/stat.ts";

/** What only this host knows of a name; kept beside the journal because no listing can bring it back. */
export interface LocalAttributes {
  /** With type bits; also for directories, symlinks and special files, which exist nowhere else. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev?: number;
  readonly atime?: Nanoseconds;
  readonly mtime?: Nanoseconds;
  readonly ctime?: Nanoseconds;
  /** Target of a symlink. */
  readonly target?: string;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** One name in a directory. Immutable: a change is a new entry. */
export interface NamespaceEntry {
  /** Unique and never used again within one state directory; 1 is the root. */
  readonly ino: number;
  /** Goes up when the name comes to stand for other content. */
  readonly generation: number;
  /** With type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Bytes. */
  readonly size: number;
  readonly atime: Nanoseconds;
  readonly mtime: Nanoseconds;
  readonly ctime: Nanoseconds;
  /** ETag of the object that holds the bytes (of directories: of the marker, if it is known); absent for what is no object, or not uploaded yet. */
  readonly etag?: string;
  /** Key that holds the bytes when it is not the path's own (a rename that is still being copied). */
  readonly key?: string;
  /** Id of the staged file that holds the bytes until they are uploaded. */
  readonly staged?: string;
  /** Target of a symlink. */
  readonly target?: string;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
  /** Exists on this host only (directories made here, symlinks, special files): no listing can say it is gone. */
  readonly local?: boolean;
  /** Mode, owner or times were set on this host: a listing does not change them, nor does what the object says. */
  readonly attributed?: boolean;
  /**
   * Attributes are those that the object with this ETag says of itself, unless its Last-Modified is later than this
   * (seconds since the epoch, the store's clock); 0: they were once. Absent: the object was not asked.
   */
  readonly describedAt?: number;
  /** A directory whose `path/` object exists in the bucket. */
  readonly marker?: boolean;
  /** A directory whose `path_$folder$` object exists in the bucket. */
  readonly folderMarker?: boolean;
  /** Ms since the epoch until which this is believed without asking S3; Infinity for what we alone decide. */
  readonly until: number;
  /** Directories: ms since the epoch until which all children are known, so that an unknown name is absent. */
  readonly listedUntil?: number;
}

/** A name set, or removed (`entry` undefined). */
export interface NameChange {
  readonly parent: number;
  readonly name: string;
  readonly entry: NamespaceEntry | undefined;
}
