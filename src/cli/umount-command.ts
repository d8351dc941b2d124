// `pailfs umount`: through the daemon, so that it returns when the bucket has everything.
import { NoDaemonError, callDaemon } from "../daemon/control-client.ts";
import type { ControlProgress } from "../daemon/control-protocol.ts";
import type { MountRecord } from "../daemon/mount-record.ts";
import { findMount, isPailfs } from "../daemon/mount-table.ts";
import { isDeadMount, removeStaleMounts } from "../daemon/stale-mount.ts";
import { StartError } from "../daemon/start-error.ts";
import { runUmount } from "../daemon/umount-command.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";
import { findDaemon, mountpointOf, refuseForeign } from "./find-daemon.ts";
import { describeProgress, progressLine } from "./progress-line.ts";

export interface UmountWish {
  readonly mountpoint: string;
  /** Detach a busy mount, and do not wait for uploads. */
  readonly lazy: boolean;
  /** How long to wait for uploads. */
  readonly timeoutMs: number | undefined;
}

/** Resolves to the exit code; the daemon goes on uploading whatever happens to this process. */
export async function umountCommand(wish: UmountWish, context: CommandContext): Promise<number> {
  const mountpoint = await mountpointOf(wish.mountpoint, context);
  const record = await findDaemon(mountpoint, context);
  if (record !== undefined) {
    try {
      return await umountThroughDaemon(record, wish, context);
    } catch (error) {
      if (!(error instanceof NoDaemonError)) throw error;
    }
  }
  return umountWithoutDaemon(mountpoint, wish.lazy, context);
}

/** Removes a mount whose daemon died, and leaves everything else alone; resolves to the exit code. */
export async function removeDead(argument: string, context: CommandContext): Promise<number> {
  const mountpoint = await mountpointOf(argument, context);
  const removed = await removeStaleMounts(mountpoint);
  if (removed > 0) complain(context, `removed the dead mount ${mountpoint}`);
  return ExitCode.ok;
}

async function umountThroughDaemon(
  record: MountRecord,
  { lazy, timeoutMs }: UmountWish,
  context: CommandContext,
): Promise<number> {
  const line = progressLine(context);
  const interrupt = context.interruptible();
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  let last: ControlProgress | undefined;
  try {
    const { left } = await callDaemon(
      record.socketPath,
      "umount",
      { lazy, wait: !lazy },
      {
        untilGone: !lazy,
        onProgress: (progress) => {
          last = progress;
          line.show(progress);
        },
        signal: timeout === undefined ? interrupt : AbortSignal.any([interrupt, timeout]),
      },
    );
    if (left === 0 || lazy) return ExitCode.ok;
    complain(
      context,
      `${left} changes are not in the bucket; they stay in the journal for the next mount`,
    );
    return ExitCode.temporary;
  } catch (error) {
    if (timeout?.aborted !== true) throw error;
    const state = last === undefined ? "" : ` (${describeProgress(last)})`;
    throw new StartError("temporary", `Not done in time${state}: the daemon goes on by itself`, {
      cause: error,
    });
  } finally {
    line.clear();
  }
}

async function umountWithoutDaemon(
  mountpoint: string,
  lazy: boolean,
  context: CommandContext,
): Promise<number> {
  const entry = await findMount(mountpoint);
  if (entry === undefined) {
    throw new StartError("runtime", `Cannot unmount "${mountpoint}": nothing is mounted there`);
  }
  if (!isPailfs(entry)) {
    throw new StartError(
      "runtime",
      `Cannot unmount "${mountpoint}": what is mounted there is no pailfs but ${entry.type}`,
    );
  }
  refuseForeign(entry);
  const dead = await isDeadMount(mountpoint);
  await runUmount(mountpoint, { lazy: lazy || dead });
  complain(
    context,
    dead
      ? `removed the dead mount ${mountpoint}; what it had not uploaded goes on with the next mount`
      : `unmounted ${mountpoint}; its daemon could not be asked, it may still be uploading`,
  );
  return ExitCode.ok;
}
