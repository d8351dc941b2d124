// What the options say of uploads.
import type { MountOptions } from "../../options/mount-options.ts";
import { fileUploadSource } from "../../s3/file-upload-source.ts";
import { isRefused } from "../../s3/s3-error.ts";
import type { UploadQueueOptions } from "../../spool/upload-queue-options.ts";

/** Options of an upload queue that are not other parts of the core. */
type QueueSettings = Omit<UploadQueueOptions, "recovered" | "state" | "files" | "store" | "cache">;

/** Settings of the queue; loads what finds content types, where asked for. */
export async function queueSettings({ s3, spool, fs }: MountOptions): Promise<QueueSettings> {
  return {
    source: (fd, _path, size) => fileUploadSource(fd, size),
    concurrency: s3.concurrency,
    multipartThreshold: spool.multipartThresholdBytes,
    partSize: spool.partSizeBytes,
    patienceMs: s3.deadlineMs,
    deleteDelayMs: fs.deleteDelayMs,
    deleteBurst: fs.deleteBurst,
    retry: { isRefused },
    ...(await contentTypes(spool.contentType)),
  };
}

async function contentTypes(type: string | undefined): Promise<{
  contentType?: (key: string) => string | undefined;
}> {
  if (type === undefined) return {};
  if (type !== "by-extension") return { contentType: () => type };
  const { default: mime } = await import("mime");
  return { contentType: (key) => mime.getType(key) ?? undefined };
}
