import { log } from "../../log.ts";
import type { FuseObject } from "./fuse-native.ts";

// a call then takes half as long again as on a fresh mount: the event loop looks at each handle at every wake-up
const MANY_HANDLES = 1000;

/** What fuse-native holds for threads of libfuse, ended ones included. It never becomes less. */
export interface ThreadHandles {
  readonly count: number;
  /** What there is to do about them, once they are many. */
  readonly advice?: string;
}

/** The handles that `fuse` holds now. */
export function threadHandles(fuse: FuseObject): ThreadHandles {
  const count = fuse._threads.size;
  if (count < MANY_HANDLES) return { count };
  return { count, advice: "each call gets slower with them: mount again, or use fuse=kernel" };
}

/**
 * libfuse ends its threads above ten when they are idle, and fuse-native keeps what it had for each of them: a burst of n
 * slow calls at once leaves about n - 10 handles behind for good. Warns at 1,000, 2,000, 4,000 and so on.
 */
export function watchThreads(fuse: FuseObject): void {
  const allocate = fuse._malloc.bind(fuse);
  let warnAt = MANY_HANDLES;
  fuse._malloc = (size) => {
    const memory = allocate(size);
    const { count, advice } = threadHandles(fuse);
    if (count >= warnAt) {
      warnAt *= 2;
      log.warn("fuse-native holds %d handles of threads: %s", count, advice);
    }
    return memory;
  };
}
