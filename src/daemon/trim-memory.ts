// What malloc(3) keeps after a burst goes back to the system: V8's compilers alone leave 10 to 40 MiB when a daemon starts.
import { log } from "../log.ts";

/** A mount has started up by then. */
const FIRST_MS = 1000;
const AGAIN_MS = 30_000;
/** Growth that is worth looking through the heap. */
const WORTH_BYTES = 4 * 2 ** 20;

/** Calls `trim` soon, and again whenever resident memory has grown; returns how to stop. */
export function keepMemoryTrimmed(
  trim: () => Promise<void>,
  residentBytes: () => number = () => process.memoryUsage.rss(),
): () => void {
  let after = 0;
  let isStopped = false;
  const look = async (): Promise<void> => {
    try {
      if (residentBytes() - after >= WORTH_BYTES) {
        await trim();
        after = residentBytes();
      }
    } catch (error) {
      log.debug("cannot give memory back: %s", error);
    }
    if (!isStopped) timer = setTimeout(() => void look(), AGAIN_MS).unref();
  };
  // look() never rejects
  let timer = setTimeout(() => void look(), FIRST_MS).unref();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
