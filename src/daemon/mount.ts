// The composition root: the only file that puts implementations together.
import type { CoreOptions, KeyMap } from "../fs/core-options.ts";
import { S3FileSystem } from "../fs/s3-file-system.ts";
import { untilAborted } from "../fs/until-aborted.ts";
import { mountAdapter } from "../fuse/mount-adapter.ts";
import { type LocalPart, openLocal } from "../local/open-local.ts";
import type { MountOptions } from "../options/mount-options.ts";
import { FsError } from "../posix/errno.ts";
import { pageAllocator } from "../posix/page-aligned.ts";
import { loadSystemCalls, type SystemCalls } from "../posix/syscalls.ts";
import { keyOfPath, pathOfKey } from "../s3/object-key.ts";
import { S3ObjectStore } from "../s3/s3-object-store.ts";
import { Quarantine } from "../spool/quarantine.ts";
import { OperatorControl } from "../spool/queue-control.ts";
import { recoverSpool } from "../spool/recovery.ts";
import { BackgroundUploadQueue } from "../spool/upload-queue.ts";
import { openMountState } from "../state/open-mount-state.ts";
import { acquireStateLock } from "../state/state-lock.ts";
import { BucketCheck } from "./bucket-check.ts";
import type { DaemonParts, MountedFileSystem } from "./mount-contract.ts";
import { coreStatus, type CoreStatus } from "./parts/core-status.ts";
import { openCache } from "./parts/open-cache.ts";
import { openSpool } from "./parts/open-spool.ts";
import { queueSettings } from "./parts/queue-settings.ts";
import { sessionStatus } from "./parts/session-status.ts";
import { storeConfig } from "./parts/store-config.ts";
import { keepMemoryTrimmed } from "./trim-memory.ts";

/** Read-ahead of the kernel in KiB: 4 MiB keep several GETs of a sequential reader under way. */
const READ_AHEAD_KB = 4096;

/** A file system core with everything below it, not mounted. */
export interface Core {
  readonly fileSystem: S3FileSystem;
  /** What is mounted: the same, or with local names over it. */
  readonly local: LocalPart;
  readonly keys: KeyMap;
  readonly queue: OperatorControl;
  status(): CoreStatus;
  /** Resolves when everything queued so far, or below the key prefix, is in the bucket. */
  drained(prefix?: string): Promise<void>;
  /** Stops uploads and closes all; the queue stays in the journal. */
  close(): Promise<void>;
}

/** What a start may bring along. */
export interface CoreStart {
  /** Not closed when the start fails. */
  readonly store?: S3ObjectStore;
  /** Called before a new state is made of nothing; a rejection is openCore()'s. */
  readonly onNew?: () => Promise<void>;
  /** Of the running kernel by default; another one means that the host went down meanwhile. */
  readonly bootId?: string;
}

/** Opens state, cache and spool and starts the queue; rejects with FsError, with nothing left open. */
export async function openCore(options: MountOptions, start: CoreStart = {}): Promise<Core> {
  const opened: (() => Promise<void>)[] = [];
  try {
    return await openParts(options, start, opened);
  } catch (error) {
    for (const close of opened.toReversed()) await close();
    throw error;
  }
}

async function openParts(
  options: MountOptions,
  start: CoreStart,
  opened: (() => Promise<void>)[],
): Promise<Core> {
  const system = await loadSystemCalls();
  const store = start.store ?? new S3ObjectStore(await storeConfig(options.s3));
  const keys = keysBelow(options.s3.prefix);
  const { bucket, prefix, endpoint } = options.s3;
  const spool = await openSpool(options, system, () => store.failingSinceMs);
  opened.push(() => spool.close());
  const state = await openMountState({
    directory: options.spool.stateDirectory,
    identity: JSON.stringify([endpoint ?? "aws", bucket, prefix]),
    ...(start.bootId === undefined ? {} : { bootId: start.bootId }),
    onNew: async () => {
      await start.onNew?.();
      // acknowledged by a journal that someone moved away
      await recoverSpool({ spool, records: [], journalIsWhole: false });
    },
  });
  opened.push(() => state.close());
  const cache = await openCache(options, system, start.bootId);
  opened.push(() => cache.close());
  const recovered = await recoverSpool({
    spool,
    records: state.pending(),
    // a damaged journal did not open, a new one found the spool empty
    journalIsWhole: true,
  });
  const queue = new BackgroundUploadQueue({
    recovered,
    state,
    files: spool,
    store,
    cache,
    ...(await queueSettings(options)),
  });
  const fileSystem = new S3FileSystem({
    state,
    store,
    cache,
    spool,
    queue,
    keys,
    options: coreOptions(options, system),
  });
  const stop = async (): Promise<void> => {
    await fileSystem.stop();
    await queue.stop();
  };
  opened.push(stop);
  const local = await openLocal(options.local, fileSystem, system);
  return {
    fileSystem,
    local,
    keys,
    queue: new OperatorControl(queue, new Quarantine(options.spool.stateDirectory), spool),
    status: () => coreStatus({ fileSystem, queue, state, cache, store, spool, local }),
    drained: (below) => {
      fileSystem.publish();
      return queue.drained(below);
    },
    close: async () => {
      const parts = [spool, state, cache, store];
      await stop();
      await local.close();
      for (const part of parts) await part.close();
    },
  };
}

function coreOptions({ fs, cache }: MountOptions, system: SystemCalls | undefined): CoreOptions {
  const memory = { memoryLimit: cache.memoryLimitBytes };
  return { ...fs, ...memory, ...(system ? { allocate: pageAllocator(system) } : {}) };
}

function keysBelow(prefix: string): KeyMap {
  return { toKey: (path) => keyOfPath(prefix, path), toPath: (key) => pathOfKey(prefix, key) };
}

/** Mounts a core. */
export async function mountFileSystem(options: MountOptions): Promise<MountedFileSystem> {
  const store = new S3ObjectStore(await storeConfig(options.s3));
  const check = new BucketCheck((how) => store.checkBucket({ ...how, prefix: options.s3.prefix }));
  let core: Core | undefined;
  try {
    let isNew = false;
    core = await openCore(options, {
      store,
      onNew: async () => {
        await check.mustSucceed();
        isNew = true;
      },
    });
    const warning = isNew ? undefined : await check.mayFail();
    return await mountCore(core, options, warning);
  } catch (error) {
    check.cancel();
    await (core ?? store).close();
    throw error;
  }
}

async function mountCore(
  core: Core,
  options: MountOptions,
  warning: string | undefined,
): Promise<MountedFileSystem> {
  const { adapter, session } = await mountAdapter(options.fuse.adapter, core.local.fileSystem, {
    ...options.fuse,
    source: options.source,
    mountpoint: options.mountpoint,
    owner: options.fs,
    passthrough: options.fuse.passthrough === false ? "off" : "auto",
    readAheadKb: READ_AHEAD_KB,
  });
  const system = await loadSystemCalls();
  const stopTrimming = system && keepMemoryTrimmed(() => system.trimMemory());
  const abortable = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
    untilAborted(work, signal);
  return {
    warning,
    queue: core.queue,
    removals: core.fileSystem.removals,
    closed: session.closed,
    status: () => ({ ...core.status(), adapter, ...sessionStatus(session.counts()) }),
    flush: (path, signal) =>
      abortable(core.drained(path === "/" ? undefined : core.keys.toKey(path)), signal),
    refresh: (path) => core.local.refresh(path),
    unmount: async ({ lazy }) => {
      if ((await session.unmount(lazy)) === "done") return;
      throw new FsError("EBUSY", `Cannot unmount ${options.mountpoint}: in use`);
    },
    drain: (signal) => abortable(core.drained(), signal),
    close: async () => {
      stopTrimming?.();
      await core.close();
    },
  };
}

/** What the daemon runs with. */
export const daemonParts: DaemonParts = {
  acquireLock: acquireStateLock,
  mount: mountFileSystem,
};
