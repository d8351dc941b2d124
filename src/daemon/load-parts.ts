import type { DaemonParts } from "./mount-contract.ts";

/** Loads the composition root, and with it everything heavy; only the process that serves does so. */
export async function loadParts(): Promise<DaemonParts> {
  const url = import.meta.url.replace("load-parts", "mount");
  const { daemonParts } = (await import(url)) as { daemonParts: DaemonParts };
  return daemonParts;
}
