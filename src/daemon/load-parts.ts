import type { DaemonParts } from "./mount-contract.ts";

/** Loads the composition root, and with it everything heavy; only the process that serves does so. */
export async function loadParts(): Promise<DaemonParts> {
  const { daemonParts } = await import("./mount.ts");
  return daemonParts;
}
