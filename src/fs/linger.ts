// Uploads wait a moment for what programs do next: rename what they wrote, or give it its attributes.
import type { UploadQueue } from "../spool/spool.ts";

/**
 * How long an upload waits: programs that write under a temporary name (rsync, editors) rename it within milliseconds of
 * close(2), and then it costs one PUT instead of PUT, COPY and DELETE; so do attributes that are set after mkdir(2).
 */
export const LINGER_MS = 100;

/** Holds the upload of a staged file for LINGER_MS. */
export function linger(queue: Pick<UploadQueue, "hold" | "unhold">, staged: string): void {
  queue.hold(staged);
  setTimeout(() => void queue.unhold(staged), LINGER_MS).unref();
}
