// The composition root: the only file that puts implementations together.
import mime from "mime";
import { mkdir, statfs } from "node:fs/promises";
import { homedir } from "node:os";
import type { BlockCache } from "../cache/block-cache.ts";
import { openDiskBlockCache } from "../cache/disk-block-cache.ts";
import type { KeyMap } from "../fs/core-options.ts";
import { S3FileSystem } from "../fs/s3-file-system.ts";
import { untilAborted } from "../fs/until-aborted.ts";
import { mountKernel } from "../fuse/session.ts";
import type { MountOptions, S3Options } from "../options/mount-options.ts";
import { FsError } from "../posix/errno.ts";
import { loadSystemCalls, type SystemCalls } from "../posix/syscalls.ts";
import { credentialProvider } from "../s3/credentials.ts";
import { fileUploadSource } from "../s3/file-upload-source.ts";
import { keyOfPath, pathOfKey } from "../s3/object-key.ts";
import type { Encryption, S3Config } from "../s3/s3-call.ts";
import { S3ObjectStore } from "../s3/s3-object-store.ts";
import { DiskSpool } from "../spool/disk-spool.ts";
import { recoverSpool } from "../spool/recovery.ts";
import { BackgroundUploadQueue } from "../spool/upload-queue.ts";
import { openMountState } from "../state/open-mount-state.ts";
import { acquireStateLock } from "../state/state-lock.ts";
import type { DaemonParts, MountedFileSystem } from "./mount-contract.ts";
import type { MountStatus } from "./status.ts";

/** Read-ahead of the kernel in KiB: 4 MiB keep several GETs of a sequential reader under way. */
const READ_AHEAD_KB = 4096;

/** How long the bucket may take to answer at start, in ms. */
const CHECK_MS = 10_000;

/** A file system core with everything below it, not mounted. */
export interface Core {
  readonly fileSystem: S3FileSystem;
  readonly keys: KeyMap;
  status(): Omit<MountStatus, "adapter" | "passthrough">;
  /** Resolves when everything queued so far, or below the key prefix, is in the bucket. */
  drained(prefix?: string): Promise<void>;
  /** Stops uploads and closes all; the queue stays in the journal. */
  close(): Promise<void>;
}

/** Opens state, cache and spool and starts the queue; rejects with FsError. */
export async function openCore(options: MountOptions): Promise<Core> {
  const system = await loadSystemCalls();
  const store = new S3ObjectStore(storeConfig(options.s3));
  const keys: KeyMap = {
    toKey: (path) => keyOfPath(options.s3.prefix, path),
    toPath: (key) => pathOfKey(options.s3.prefix, key),
  };
  const { bucket, prefix, endpoint } = options.s3;
  const state = await openMountState({
    directory: options.spool.stateDirectory,
    identity: JSON.stringify([endpoint ?? "aws", bucket, prefix]),
  });
  const cache = await openCache(options, system);
  const spool = await DiskSpool.open({
    stateDir: options.spool.stateDirectory,
    spoolSize: options.spool.limitBytes,
    minFree: options.spool.minFree,
    roomWaitMs: options.s3.deadlineMs,
    system,
  });
  const recovered = await recoverSpool({
    spool,
    records: state.pending(),
    // a damaged journal did not open
    journalIsWhole: true,
  });
  const queue = new BackgroundUploadQueue({
    recovered,
    state,
    files: spool,
    store,
    cache,
    source: (fd, _path, size) => fileUploadSource(fd, size),
    concurrency: options.s3.concurrency,
    multipartThreshold: options.spool.multipartThresholdBytes,
    partSize: options.spool.partSizeBytes,
    patienceMs: options.s3.deadlineMs,
    ...contentTypes(options.spool.contentType),
  });
  const fileSystem = new S3FileSystem({
    state,
    store,
    cache,
    spool,
    queue,
    keys,
    options: { ...options.fs, memoryLimit: options.cache.memoryLimitBytes },
  });
  return {
    fileSystem,
    keys,
    status: () => ({ queue: queueStatus(queue), cache: cache.status(), requests: store.requests }),
    drained: (below) => queue.drained(below),
    close: async () => {
      await queue.stop();
      await spool.close();
      await state.close();
      await cache.close();
      await store.close();
    },
  };
}

/** Mounts a core with the kernel adapter. */
export async function mountFileSystem(options: MountOptions): Promise<MountedFileSystem> {
  const store = new S3ObjectStore(storeConfig(options.s3));
  try {
    await store.checkBucket({ deadlineMs: CHECK_MS });
  } finally {
    await store.close();
  }
  const core = await openCore(options);
  try {
    const session = await mountKernel(core.fileSystem, {
      source: options.source,
      mountpoint: options.mountpoint,
      readOnly: options.fuse.readOnly,
      allowOther: options.fuse.allowOther,
      passthrough: options.fuse.passthrough === false ? "off" : "auto",
      readAheadKb: READ_AHEAD_KB,
    });
    const abortable = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
      untilAborted(work, signal);
    return {
      closed: session.closed,
      status: () => ({
        ...core.status(),
        adapter: "kernel",
        passthrough: session.counts().passthrough,
      }),
      flush: (path, signal) =>
        abortable(core.drained(path === "/" ? undefined : core.keys.toKey(path)), signal),
      refresh: (path) => core.fileSystem.refresh(path),
      unmount: async ({ lazy }) => {
        if ((await session.unmount(lazy)) === "done") return;
        throw new FsError("EBUSY", `Cannot unmount ${options.mountpoint}: in use`);
      },
      drain: (signal) => abortable(core.drained(), signal),
      close: () => core.close(),
    };
  } catch (error) {
    await core.close();
    throw error;
  }
}

/** What the daemon runs with. */
export const daemonParts: DaemonParts = {
  acquireLock: acquireStateLock,
  mount: mountFileSystem,
};

/** The most of its disk that a cache may take. */
const CACHE_SHARE = 0.8;

async function openCache(
  options: MountOptions,
  system: SystemCalls | undefined,
): Promise<BlockCache> {
  const { directory, limitBytes, minFree } = options.cache;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const disk = await statfs(directory);
  const size = disk.blocks * disk.bsize;
  return openDiskBlockCache({
    directory,
    limitBytes: Math.min(limitBytes, Math.floor(size * CACHE_SHARE)),
    minFreeBytes: "bytes" in minFree ? minFree.bytes : Math.floor(size * minFree.fraction),
    ...(system ? { punchHole: holePuncher(system) } : {}),
  });
}

function holePuncher(system: SystemCalls) {
  return async (fd: number, offset: number, length: number): Promise<boolean> => {
    try {
      await system.punchHole(fd, offset, length);
      return true;
    } catch {
      // the cache then evicts the whole file
      return false;
    }
  };
}

function contentTypes(type: string | undefined): {
  contentType?: (key: string) => string | undefined;
} {
  if (type === undefined) return {};
  if (type !== "by-extension") return { contentType: () => type };
  return { contentType: (key) => mime.getType(key) ?? undefined };
}

function storeConfig(s3: S3Options): S3Config {
  const keys = s3.credentials.environmentKeys;
  return {
    bucket: s3.bucket,
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: s3.pathStyle,
    credentials: credentialProvider({
      bucket: s3.bucket,
      credentialsFile: s3.credentials.file,
      profile: s3.credentials.profile,
      environment: {
        HOME: homedir(),
        AWS_ACCESS_KEY_ID: keys?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: keys?.secretAccessKey,
        AWS_SESSION_TOKEN: keys?.sessionToken,
      },
    }),
    deadlineMs: s3.deadlineMs,
    concurrency: s3.concurrency,
    storageClass: s3.storageClass,
    acl: s3.acl,
    encryption: encryptionOf(s3),
  };
}

function encryptionOf(s3: S3Options): Encryption | undefined {
  if (s3.sse === undefined) return undefined;
  return s3.sse === "AES256" ? { kind: "AES256" } : { kind: "aws:kms", keyId: s3.sseKmsKey };
}

function queueStatus(queue: BackgroundUploadQueue): MountStatus["queue"] {
  const { pending, pendingBytes, oldestMs, lastError } = queue.status();
  return {
    length: pending,
    bytes: pendingBytes,
    refused: 0,
    ...(oldestMs === undefined ? {} : { oldestMs }),
    ...(lastError === undefined ? {} : { lastError }),
  };
}
