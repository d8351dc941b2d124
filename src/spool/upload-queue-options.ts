import type { BlockCache } from "../cache/block-cache.ts";
import type { ObjectStore } from "../s3/object-store.ts";
import type { MountState } from "../state/mount-state.ts";
import type { UploadSourceFactory } from "./operation-runner.ts";
import type { RetryOptions } from "./retry-schedule.ts";
import type { StagedFiles } from "./staged-files.ts";

/** What the queue works with, and its limits. */
export interface UploadQueueOptions {
  readonly store: ObjectStore;
  readonly state: MountState;
  readonly files: StagedFiles;
  /** How staged bytes are read and digested: fileUploadSource(). */
  readonly source: UploadSourceFactory;
  readonly cache?: Pick<BlockCache, "adopt">;
  /** From recoverSpool(). */
  readonly recovered?: RecoveredRecords;
  /** Operations under way at a time; 16 by default. */
  readonly concurrency?: number;
  /** Bytes above which an object goes by parts; 64 MiB by default. */
  readonly multipartThreshold?: number;
  /** 8 MiB by default. */
  readonly partSize?: number;
  /** Parts of one object at a time; 4 by default. */
  readonly partConcurrency?: number;
  /** How long the object of a removed name stays, in ms; 0 by default. */
  readonly deleteDelayMs?: number;
  /** Names removed within 10 minutes that are worth a warning; 0 (default): none are. */
  readonly deleteBurst?: number;
  readonly retry?: RetryOptions;
  /** How long settled() waits, in ms, for an operation that fails or gets no turn; 30 s by default. */
  readonly patienceMs?: number;
  readonly contentType?: (key: string) => string | undefined;
}

/** What recovery knows of records, by seq. */
export interface RecoveredRecords {
  /** Cannot be done; why. */
  readonly failed: ReadonlyMap<number, string>;
  /** Were done before a crash; the object's ETag. */
  readonly uploaded: ReadonlyMap<number, string>;
}
