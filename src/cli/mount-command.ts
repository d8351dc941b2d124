// `pailfs mount`: everything that can be checked here is, so that what is wrong reaches the terminal.
import { checkAnswer } from "../daemon/check-answer.ts";
import { checkCredentials } from "../daemon/check-credentials.ts";
import { checkDirectories } from "../daemon/check-directories.ts";
import { checkMountpoint } from "../daemon/check-mountpoint.ts";
import type { DaemonProcess } from "../daemon/daemon-process.ts";
import type { DaemonStart } from "../daemon/daemon-start.ts";
import { openNotifySocket } from "../daemon/notify-socket.ts";
import { startPatiently } from "../daemon/patient-start.ts";
import { protectMountpoint } from "../daemon/protect-mountpoint.ts";
import { spawnDaemon } from "../daemon/spawn-daemon.ts";
import { stopDaemon } from "../daemon/stop-daemon.ts";
import type { Environment } from "../options/environment-options.ts";
import type { GivenOption } from "../options/given-option.ts";
import type { MountOptions } from "../options/mount-options.ts";
import { nearestName } from "../options/nearest-name.ts";
import { OptionError } from "../options/option-error.ts";
import { descriptorOf } from "../posix/fuse-device.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { commandNames } from "./command-names.ts";
import { parseInContainer } from "./container-state.ts";
import { ExitCode } from "./exit-code.ts";
import { logDestination } from "./log-destination.ts";
import { completeMount } from "./mount-request.ts";
import { remountCommand } from "./remount-command.ts";

// for replaying the journal and mounting, beside what S3 may take
const startMarginMs = 30_000;

/** A mount as it was written, by whoever wrote it. */
export interface MountWish {
  /** Source and mount point. */
  readonly words: readonly string[];
  readonly given: readonly GivenOption[];
  /** Whether mount(8) calls us. */
  readonly isHelper?: boolean;
  /** Whether unknown words of an option list are told instead of refused. */
  readonly sloppy?: boolean;
}

/** Mounts and returns once it answers, or stays with --foreground; resolves to the exit code. */
export async function mountCommand(wish: MountWish, context: CommandContext): Promise<number> {
  const { environment } = context;
  const written = await completeMount(wish.words, wish.given, environment);
  // options first: a mistyped one may have left its value among the words
  const { options, notices, isRemount } = await parseInContainer(
    {
      source: `${sourcePrefix(written.source, environment)}${written.source ?? "missing"}`,
      mountpoint: written.mountpoint ?? "/",
      given: written.given,
      sloppy: wish.sloppy === true,
    },
    environment,
  );
  checkWords([written.source, written.mountpoint, ...wish.words.slice(2)]);
  for (const notice of notices) complain(context, notice);
  if (isRemount) return remountCommand(options, context);

  const checked = await checkMountpoint(options);
  if (checked.staleMounts > 0) complain(context, `removed a dead mount from ${checked.mountpoint}`);
  for (const warning of await checkDirectories(options)) complain(context, warning);
  await checkCredentials(options, environment);
  if (shallProtect(options, wish, context)) await protectMountpoint(checked.mountpoint);
  const start: DaemonStart = {
    options: { ...options, mountpoint: checked.mountpoint },
    logTo: await logDestination(options, environment.variables),
    runtimeDirectories: context.runtimeDirectories,
    version: context.version,
  };
  if (options.daemon.foreground) await serve(start, context);
  else await daemonise(start, context);
  return ExitCode.ok;
}

// of the wrapper called goofys: mount.fuse takes "goofys#" away, and mount -a compares what is shown with fstab
function sourcePrefix(source: string | undefined, { variables }: Environment): string {
  const prefix = variables["PAILFS_SOURCE_PREFIX"] ?? "";
  return source?.startsWith(prefix) === true ? "" : prefix;
}

function shallProtect(options: MountOptions, wish: MountWish, context: CommandContext): boolean {
  const { protectMountpoint: wanted } = options.daemon;
  // a directory that is not empty is somebody's
  if (options.fuse.nonempty || options.fuse.device !== undefined || context.environment.uid !== 0)
    return false;
  const isBoot = wish.isHelper === true || context.serviceManager !== undefined;
  return wanted === "auto" ? isBoot : wanted;
}

function checkWords(words: readonly (string | undefined)[]): void {
  const form = "want pailfs mount BUCKET[:PREFIX] MOUNTPOINT";
  const [source, mountpoint, ...more] = words;
  if (source === undefined) throw new OptionError(`Cannot mount: no bucket given; ${form}`);
  if (mountpoint === undefined) {
    const command = nearestName(source, commandNames);
    const hint = command === undefined ? form : `${form} (or did you mean pailfs ${command}?)`;
    throw new OptionError(`Cannot mount "${source}": no mount point given; ${hint}`);
  }
  if (more.length > 0) throw new OptionError(`Cannot make sense of "${more.join(" ")}": ${form}`);
}

async function serve(start: DaemonStart, context: CommandContext): Promise<void> {
  // loaded only now: the parent of a daemon never needs it
  const [{ runDaemonProcess }, { loadParts }] = await Promise.all([
    import("../daemon/daemon-process.ts"),
    import("../daemon/load-parts.ts"),
  ]);
  const { serviceManager } = context;
  const parts = await loadParts();
  const run = async (): Promise<DaemonProcess> =>
    runDaemonProcess({ ...start, serviceManager }, parts);
  const daemon =
    serviceManager === undefined
      ? await run()
      : await startPatiently(run, {
          notify: await openNotifySocket(serviceManager.socketPath),
          signal: context.interruptible(),
          onWait: (reason) =>
            complain(context, `not mounted yet: ${reason}; trying until S3 answers`),
        });
  await daemon?.finished;
}

async function daemonise(start: DaemonStart, context: CommandContext): Promise<void> {
  const { source, mountpoint, s3 } = start.options;
  const { pid, warning } = await spawnDaemon(start, {
    command: [...context.self, "daemon-child", source, mountpoint],
    variables: context.environment.variables,
    timeoutMs: s3.deadlineMs + startMarginMs,
    signal: context.interruptible(),
  });
  try {
    // one whose mount cannot be seen from here has told that it was started
    if (descriptorOf(mountpoint) === undefined) await checkAnswer(mountpoint);
  } catch (error) {
    await stopDaemon(pid, mountpoint);
    throw error;
  }
  if (warning !== undefined) complain(context, warning);
}
