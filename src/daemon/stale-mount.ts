// A mount whose daemon died stays in the tree and answers ENOTCONN until someone removes it; one whose daemon is stopped
// answers nothing, and takes whoever asks along.
import { execFile } from "node:child_process";
import { findMount, isPailfs } from "./mount-table.ts";
import { runUmount } from "./umount-command.ts";

/** How a mount behaves towards whoever uses it. */
export type MountHealth = "none" | "answers" | "dead" | "hangs";

const PATIENCE_MS = 5000;
const DEAD = 3;
// not stat(2): the kernel answers that from its cache for as long as the root's attributes are good. ECONNABORTED: the
// connection was aborted while the daemon still holds the device
const SCRIPT = `require("fs").statfs(process.argv[1], (error) =>
  process.exit(["ENOTCONN", "ECONNABORTED"].includes(error?.code) ? ${DEAD} : 0))`;

/** Asks what is mounted at a path, in a process of its own, which can be killed when there is no answer. */
export async function healthOf(mountpoint: string): Promise<MountHealth> {
  const entry = await findMount(mountpoint);
  if (entry?.type.startsWith("fuse") !== true) return "none";
  return new Promise((resolve) => {
    const options = { timeout: PATIENCE_MS, killSignal: "SIGKILL", env: {} } as const;
    execFile(process.execPath, ["-e", SCRIPT, mountpoint], options, (error) => {
      if (error?.killed === true) resolve("hangs");
      else resolve(error?.code === DEAD ? "dead" : "answers");
    });
  });
}

/** Whether what is at a path is a mount without a daemon. */
export async function isDeadMount(mountpoint: string): Promise<boolean> {
  return (await healthOf(mountpoint)) === "dead";
}

/** Takes our dead mounts off a mount point, one on top of another; resolves to how many there were. Other dead mounts stay. */
export async function removeStaleMounts(mountpoint: string): Promise<number> {
  let removed = 0;
  // bounded: a mount that comes back each time is not ours to fight
  while (removed < 16 && (await isDeadMount(mountpoint))) {
    const entry = await findMount(mountpoint);
    if (entry === undefined || !(isPailfs(entry) || entry.type === "fuse")) return removed;
    await runUmount(mountpoint, { lazy: true });
    removed += 1;
  }
  return removed;
}
