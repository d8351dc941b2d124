import type { DaemonParts } from "./mount-contract.ts";
import { StartError } from "./start-error.ts";

/**
 * Loads the composition root, and with it everything heavy; only the process that serves does so. Rejects with
 * StartError when a package is missing or was made for another platform.
 */
export async function loadParts(): Promise<DaemonParts> {
  try {
    const { daemonParts } = await import("./mount.ts");
    return daemonParts;
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    const message = `Cannot load the daemon: ${reason}; install pailfs again for this Node and platform`;
    throw new StartError("runtime", message, { cause });
  }
}
