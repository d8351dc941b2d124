import type { DaemonStatus } from "../daemon/status.ts";
import type { VolumeRecord } from "./volume-record.ts";

/** What `docker volume inspect` tells of a volume; nothing secret. */
export function showStatus(
  record: VolumeRecord,
  isMounted: boolean,
  status: DaemonStatus | undefined,
): Readonly<Record<string, unknown>> {
  const users = Object.keys(record.references).length;
  const source = { source: record.source, users };
  if (!isMounted) return { ...source, state: "not mounted" };
  if (status === undefined) return { ...source, state: "its daemon does not answer" };
  const { queue, failingSinceMs, pid } = status;
  const lastError = queue.lastError?.message;
  return {
    ...source,
    state: failingSinceMs === undefined ? "mounted" : "mounted, S3 does not answer",
    filesToUpload: queue.length,
    bytesToUpload: queue.bytes,
    refusedByS3: queue.refused,
    ...(lastError !== undefined && { lastError }),
    pid,
  };
}
