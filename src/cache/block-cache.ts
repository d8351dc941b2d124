// The seam of the cache: bytes of object versions on the local disk. An entry may be missing, never stale.

/** Bytes per block (1 MiB): presence, checksum and eviction of large objects go by blocks. */
export const BLOCK_SIZE = 1024 * 1024;

/** One version of one object. */
export interface ObjectVersion {
  readonly key: string;
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Never rejects on account of the local disk: a failing read is a miss, a failing write is dropped, one warning is logged.
 * Total bytes of present blocks stay below the limit (by more than one block only while evicted files are still open).
 */
export interface BlockCache {
  /** A use of a version, counted until released; synchronous, touches no disk. */
  use(version: ObjectVersion): CachedObject;
  /**
   * Makes the plain file at `path` (exactly the version's bytes, with that CRC-32 if it is known) cache content without
   * copying it: renamed on the same device, else dropped. Resolves to whether it was taken; the caller's path is gone then.
   */
  adopt(version: ObjectVersion, path: string, crc32?: number): Promise<boolean>;
  /** Forgets a version (deleted or replaced); open uses keep what they have. */
  drop(version: ObjectVersion): void;
  status(): CacheStatus;
  /** Writes what is queued and the LRU order. */
  close(): Promise<void>;
}

/** Gives memory of at least that many bytes, with anything in it. */
export type TakeMemory = (bytes: number) => Uint8Array;

export interface CachedObject {
  readonly version: ObjectVersion;
  /** Whether every block of [start, end) is believed present. */
  has(start: number, end: number): boolean;
  /**
   * Bytes [start, end) verified against their checksums, in order, or undefined when any is missing or wrong (it is dropped
   * then). They lie in memory that `take` gives, or in their own.
   */
  read(start: number, end: number, take?: TakeMemory): Promise<Uint8Array[] | undefined>;
  /**
   * Takes bytes that came from S3, in any order but each block from its start on without gaps; whole blocks (the last may
   * be short) become present. Returns at once; over its write budget the cache drops the bytes instead of growing. The
   * buffer belongs to the cache until the promise resolves (it does not reject); undefined: it needs nothing of it.
   */
  write(offset: number, data: Uint8Array): Promise<void> | undefined;
  /** A read-only descriptor of the whole file, once complete and once every block was verified in this daemon run; owned by the cache until release. */
  backing(): number | undefined;
  release(): void;
}

export interface CacheStatus {
  readonly bytes: number;
  readonly objects: number;
  readonly limitBytes: number;
  readonly hits: number;
  readonly misses: number;
  /** Why the cache is bypassed, if it is. */
  readonly failure?: string;
}
