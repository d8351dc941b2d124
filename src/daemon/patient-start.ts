// A service that cannot ask its bucket yet keeps its start job open, so that what needs the mount waits with it.
import { setTimeout as sleep } from "node:timers/promises";
import type { Notify } from "./notify-socket.ts";
import { StartError } from "./start-error.ts";

export interface Patience {
  /** The service manager that waits for us to be ready. */
  readonly notify: Notify;
  /** Fires when nobody wants the mount any more. */
  readonly signal: AbortSignal;
  /** Hears why it is not mounted yet, once for each reason. */
  readonly onWait: (reason: string) => void;
}

/** Between two tries, in ms. */
const PAUSE_MS = 3000;
// more than a try and a pause last; systemd counts from now on, and never takes time away
const EXTENSION_USEC = 60_000_000;

/**
 * Starts, again and again while S3 gives no answer of use; resolves to undefined when `signal` fired meanwhile, and
 * rejects with what no waiting mends.
 */
export async function startPatiently<T>(
  start: () => Promise<T>,
  { notify, signal, onWait }: Patience,
  pauseMs = PAUSE_MS,
): Promise<T | undefined> {
  let told = "";
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof StartError) || error.kind !== "unavailable") throw error;
      await notify({
        STATUS: `waiting for S3: ${error.message}`,
        EXTEND_TIMEOUT_USEC: `${EXTENSION_USEC}`,
      });
      if (error.message !== told) onWait(error.message);
      told = error.message;
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
  }
}
