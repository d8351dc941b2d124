import { spawn } from "node:child_process";
import { log } from "../../log.ts";
import { commandEnvironment } from "./mount.ts";
import type { MountEntry } from "./mount-table.ts";

// A line on stdin: all is well, go. End of file: the daemon died. The mount is removed only while it is still that one:
// the id alone may be used again.
const SCRIPT = `read line && exit 0
grep -q "^$1 [0-9]* $2 " /proc/self/mountinfo && exec umount -i -c -l -- "$3"`;

/** Starts a process that removes the mount when this one dies, by kill -9 too; the function returned dismisses it. */
export function startWatchdog(mount: MountEntry): () => void {
  const child = spawn(
    "/bin/sh",
    ["-c", SCRIPT, "pailfs-watchdog", `${mount.id}`, mount.device, mount.mountpoint],
    // its own session: a signal to our process group must not take it first
    { cwd: "/", detached: true, env: commandEnvironment, stdio: ["pipe", "ignore", "ignore"] },
  );
  child.once("error", (error) => log.warn("no watchdog for the mount: %s", error.message));
  child.stdin.on("error", () => {}); // it was killed: nothing to dismiss
  child.unref();
  return () => child.stdin.end("dismissed\n");
}
