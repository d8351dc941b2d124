import { setTimeout as sleep } from "node:timers/promises";
import { findMount } from "./mount-table.ts";
import { runUmount } from "./umount-command.ts";

const patienceMs = 3000;

/** Ends a daemon whose mount is of no use, first by asking, and takes its mount away; never rejects. */
export async function stopDaemon(pid: number, mountpoint: string): Promise<void> {
  signal(pid, "SIGTERM");
  const until = Date.now() + patienceMs;
  while (signal(pid, 0) && Date.now() < until) await sleep(50);
  // what waits in a call to the mount gets ENOTCONN now
  if (signal(pid, "SIGKILL")) await sleep(50);
  const left = await findMount(mountpoint).catch(() => undefined);
  if (left?.type.startsWith("fuse") === true) {
    await runUmount(mountpoint, { lazy: true }).catch(() => undefined);
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
