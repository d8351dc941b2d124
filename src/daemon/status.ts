// What `pailfs status` tells of one mount. Plain JSON: it travels over the control socket and out with --json.

/** What the parts of a mount know; times in ms since the epoch, sizes in bytes. */
export interface MountStatus {
  readonly queue: QueueStatus;
  readonly cache: {
    readonly bytes: number;
    readonly objects: number;
    readonly limitBytes: number;
    readonly hits: number;
    readonly misses: number;
    /** Why the cache is bypassed, if it is. */
    readonly failure?: string;
  };
  /** What local_prefix keeps in the state directory; absent without it. */
  readonly local?: { readonly bytes: number; readonly files: number };
  /** How much of the bucket's names is known; absent with sharing=shared. */
  readonly coverage?: CoverageStatus;
  /** Present while names cannot be written to the index: how many stay in memory, and why. */
  readonly names?: { readonly waiting: number; readonly failure: string };
  /** Since when no request got an answer of use from S3; absent while S3 answers. */
  readonly failingSinceMs?: number;
  /** Bytes of staged files: being written, or waiting for the bucket. */
  readonly spool: { readonly bytes: number; readonly limitBytes: number };
  /** What S3 answered since the start, by verb and HTTP status or the code of what broke the request; bytes of bodies. */
  readonly s3: {
    readonly answers: AnswersByKind;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  };
  /** What the kernel was answered since the start, by operation and "ok" or an errno; what it moves by itself is not seen. */
  readonly fuse: {
    readonly answers: AnswersByKind;
    readonly readBytes: number;
    readonly writtenBytes: number;
    readonly inFlight: number;
    readonly openFiles: number;
    /** Names that the kernel knows. */
    readonly names: number;
  };
  /** Requests sent so far by verb, retries included. */
  readonly requests: Readonly<Record<string, number>>;
  /** The FUSE adapter at work, such as "kernel". */
  readonly adapter: string;
  readonly passthrough: boolean;
  /** Of adapter "native" alone: what fuse-native holds for threads of libfuse, most of which have ended, and what to do once they are many. */
  readonly threadHandles?: { readonly count: number; readonly advice?: string };
}

/** Counts of answers by what was asked and how it ended. */
export type AnswersByKind = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** What sharing=exclusive knows of the bucket. */
export interface CoverageStatus {
  /** Everything below the prefix was listed, last at `sinceMs`: names cost no request. */
  readonly complete: boolean;
  readonly sinceMs?: number;
  /** Directories that others changed since, whose names are asked for. */
  readonly unknownDirectories: number;
  /** The listing that is under way, or waits for S3. */
  readonly crawl?: {
    readonly startedMs: number;
    /** Objects seen so far. */
    readonly listed: number;
    readonly failure?: string;
  };
}

/** Work that S3 has still to see. */
export interface QueueStatus {
  /** Records: uploads, deletes, copies. */
  readonly length: number;
  /** Of the pending uploads. */
  readonly bytes: number;
  /** When the oldest pending record was made; absent when there is none. */
  readonly oldestMs?: number;
  /** Records that need a person: S3 refuses them while others work, or their bytes are lost (see `pailfs queue`). */
  readonly refused: number;
  /** The last failure, absent once a request of the queue succeeded again. */
  readonly lastError?: { readonly message: string; readonly sinceMs: number };
  /** Deletes that wait for the end of delete_delay, which are not in `length`; `bytes` of those whose size is known. */
  readonly delayed: { readonly count: number; readonly bytes: number; readonly dueMs?: number };
  /** Present when more files than delete_burst were removed in a short time, until that is undone or done. */
  readonly burst?: {
    readonly count: number;
    readonly sinceMs: number;
    readonly lastMs: number;
    /** Keys of the first. */
    readonly first: readonly string[];
  };
}

/** A mount's status with what the daemon adds. */
export interface DaemonStatus extends MountStatus {
  readonly source: string;
  readonly mountpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly readOnly: boolean;
  readonly pid: number;
  readonly version: string;
  readonly startedMs: number;
  /** `draining`: unmounted, uploads go on. */
  readonly phase: "serving" | "unmounting" | "draining";
  readonly memoryBytes: number;
}
