// What the parts of a core tell `pailfs status`.
import type { BlockCache } from "../../cache/block-cache.ts";
import type { S3FileSystem } from "../../fs/s3-file-system.ts";
import type { LocalPart } from "../../local/open-local.ts";
import type { S3ObjectStore } from "../../s3/s3-object-store.ts";
import type { DiskSpool } from "../../spool/disk-spool.ts";
import type { BackgroundUploadQueue } from "../../spool/upload-queue.ts";
import type { MountState } from "../../state/mount-state.ts";
import type { MountStatus } from "../status.ts";

/** A mount's status without what its adapter says. */
export type CoreStatus = Omit<MountStatus, "adapter" | "passthrough" | "threadHandles" | "fuse">;

/** A snapshot; cheap. */
export function coreStatus(parts: {
  fileSystem: S3FileSystem;
  queue: BackgroundUploadQueue;
  state: MountState;
  cache: BlockCache;
  store: S3ObjectStore;
  spool: DiskSpool;
  local: LocalPart;
}): CoreStatus {
  const { backlog } = parts.state;
  const coverage = parts.fileSystem.coverage();
  const { failingSinceMs } = parts.store;
  return {
    queue: queueStatus(parts.queue),
    cache: parts.cache.status(),
    ...(parts.local.status && { local: parts.local.status }),
    ...(coverage && { coverage }),
    ...(backlog && { names: { waiting: backlog.changes, failure: backlog.reason } }),
    ...(failingSinceMs !== undefined && { failingSinceMs }),
    spool: parts.spool.room.usage,
    s3: parts.store.exchanged,
    requests: parts.store.requests,
  };
}

function queueStatus(queue: BackgroundUploadQueue): MountStatus["queue"] {
  const { pending: length, pendingBytes: bytes, stuck, running: _, ...rest } = queue.status();
  return { length, bytes, refused: stuck, ...rest };
}
