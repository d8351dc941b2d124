import { spawn } from "node:child_process";
import { log } from "../../log.ts";
import type { MountEntry } from "../../posix/mount-table.ts";
import { programEnvironment } from "../../posix/run-program.ts";
import { unmountCommand } from "../../posix/unmount.ts";

// A line on stdin: all is well, go. End of file: the daemon died. The mount is removed only while it is still that one:
// the id alone may be used again.
const SCRIPT = `read line && exit 0
grep -q "^$1 [0-9]* $2 " /proc/self/mountinfo && shift 2 && exec "$@"`;

/** Starts a process that removes the mount when this one dies, by kill -9 too; the function returned dismisses it. */
export async function startWatchdog(mount: MountEntry): Promise<() => void> {
  const command = await unmountCommand(true);
  if (command === undefined) {
    log.warn("no watchdog for the mount: no program of this user's unmounts");
    return () => {};
  }
  const args = [`${mount.id}`, mount.device, ...command, mount.mountpoint];
  const child = spawn("/bin/sh", ["-c", SCRIPT, "pailfs-watchdog", ...args], {
    cwd: "/",
    // its own session: a signal to our process group must not take it first
    detached: true,
    env: programEnvironment,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.once("error", (error) => log.warn("no watchdog for the mount: %s", error.message));
  child.stdin.on("error", () => {}); // it was killed: nothing to dismiss
  child.unref();
  return () => child.stdin.end("dismissed\n");
}
