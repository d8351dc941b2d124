// `mount -o remount`: flags of the kernel only; what the daemon was started with stays.
import { callDaemon } from "../daemon/control-client.ts";
import { findMount, isPailfs } from "../daemon/mount-table.ts";
import { realPathOf } from "../daemon/real-path.ts";
import { remount } from "../daemon/remount.ts";
import { StartError } from "../daemon/start-error.ts";
import type { MountOptions } from "../options/mount-options.ts";
import type { CommandContext } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";
import { findDaemon } from "./find-daemon.ts";

/** Changes a mount that is there; resolves to the exit code, rejects with StartError. */
export async function remountCommand(
  options: MountOptions,
  context: CommandContext,
): Promise<number> {
  const mountpoint = await realPathOf(options.mountpoint);
  const entry = await findMount(mountpoint);
  if (entry === undefined || !isPailfs(entry)) {
    throw new StartError("runtime", `Cannot remount "${mountpoint}": no pailfs is mounted there`);
  }
  const record = await findDaemon(mountpoint, context);
  if (record !== undefined && !options.fuse.readOnly) {
    const signal = AbortSignal.timeout(5000);
    const { readOnly } = await callDaemon(record.socketPath, "status", {}, { signal });
    if (readOnly) {
      throw new StartError(
        "runtime",
        `Cannot remount "${mountpoint}" read-write: its daemon was started read-only; unmount it and mount it again`,
      );
    }
  }
  await remount({
    source: entry.source,
    mountpoint,
    words: [options.fuse.readOnly ? "ro" : "rw", ...options.fuse.mountWords],
  });
  return ExitCode.ok;
}
