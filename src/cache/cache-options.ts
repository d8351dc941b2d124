// How a cache on disk is set up.
import type { DiskIo } from "./disk-io.ts";

/** Sizes in bytes; what is optional has the default that stands behind it. */
export interface DiskCacheOptions {
  readonly directory: string;
  readonly limitBytes: number;
  /** What stays free on the file system of `directory`. */
  readonly minFreeBytes: number;
  /** Frees a range of an open file and resolves to true, or to false where the disk cannot; without it large objects go whole. */
  readonly punchHole?: (fd: number, offset: number, length: number) => Promise<boolean>;
  /** Tells where memory starts; without it large objects are written through the page cache. */
  readonly addressOf?: (memory: Uint8Array) => bigint;
  /** What may wait for the disk in memory; 64 MiB. */
  readonly writeBudgetBytes?: number;
  /** Descriptors kept for objects that nobody uses; 512. */
  readonly maxIdleFiles?: number;
  /** How long a failing disk is left alone; 30 s. */
  readonly retryMs?: number;
  readonly io?: DiskIo;
  /** Of the running kernel; tests give another to simulate a power cut. */
  readonly bootId?: string;
}
