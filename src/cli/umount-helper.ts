// umount(8) by way of the daemon: returns when the bucket has everything, or after the mount's umount_wait.
import { NoDaemonError, callDaemon } from "../daemon/control-client.ts";
import type { ControlProgress } from "../daemon/control-protocol.ts";
import type { MountRecord } from "../daemon/mount-record.ts";
import { findMount } from "../daemon/mount-table.ts";
import { StartError } from "../daemon/start-error.ts";
import { runUmount } from "../daemon/umount-command.ts";
import { OptionError } from "../options/option-error.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { findDaemon, mountpointOf } from "./find-daemon.ts";
import type { HelperArguments } from "./mount-helper.ts";
import { describeProgress } from "./progress-line.ts";

// below systemd's 90 s for a mount unit
const usualWaitMs = 80_000;
// S3 that has failed for so long is not waited for: the host may be going down
const failingMs = 15_000;

/** Resolves to the exit status 0 when unmounted and, unless -l or -f, uploaded; rejects with StartError. */
export async function umountHelper(
  { words, letters }: Pick<HelperArguments, "words" | "letters">,
  context: CommandContext,
): Promise<number> {
  const [word, ...more] = words;
  if (word === undefined || more.length > 0) {
    throw new OptionError(`Cannot unmount "${words.join(" ")}": want MOUNTPOINT`);
  }
  const mountpoint = await mountpointOf(word, context);
  // -f is for a daemon that hangs: it is not asked
  const record = letters.has("f") ? undefined : await findDaemon(mountpoint, context);
  if (record !== undefined) {
    try {
      return await askDaemon(record, letters.has("l"), context);
    } catch (error) {
      if (!(error instanceof NoDaemonError)) throw error;
    }
  }
  if ((await findMount(mountpoint)) === undefined) {
    throw new StartError("runtime", `Cannot unmount "${mountpoint}": nothing is mounted there`);
  }
  await runUmount(mountpoint, { lazy: letters.has("l") || letters.has("f") });
  return 0;
}

async function askDaemon(
  record: MountRecord,
  lazy: boolean,
  context: CommandContext,
): Promise<number> {
  const waitMs = lazy ? 10_000 : (record.umountWaitMs ?? usualWaitMs);
  const timeout = AbortSignal.timeout(waitMs);
  const hopeless = new AbortController();
  let last: ControlProgress | undefined;
  const onProgress = (progress: ControlProgress): void => {
    last = progress;
    const { failingSinceMs = Infinity } = progress;
    if (Date.now() - failingSinceMs > failingMs) hopeless.abort();
  };
  try {
    const { left } = await callDaemon(
      record.socketPath,
      "umount",
      { lazy, wait: !lazy },
      {
        untilGone: !lazy,
        onProgress,
        signal: AbortSignal.any([context.interruptible(), timeout, hopeless.signal]),
      },
    );
    if (left > 0 && !lazy) complain(context, `${left} changes wait in the journal`);
    return 0;
  } catch (error) {
    if (!timeout.aborted && !hopeless.signal.aborted) throw error;
    const state = last === undefined ? "" : ` (${describeProgress(last)})`;
    const reason = timeout.aborted
      ? `took longer than ${waitMs / 1000} s`
      : "cannot wait for S3, which takes nothing";
    throw new StartError(
      "temporary",
      `Unmounting ${record.mountpoint} ${reason}${state}: the daemon goes on by itself`,
      { cause: error },
    );
  }
}
