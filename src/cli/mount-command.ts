// `pailfs mount`: everything that can be checked here is, so that what is wrong reaches the terminal.
import { checkAnswer } from "../daemon/check-answer.ts";
import { checkCredentials } from "../daemon/check-credentials.ts";
import { checkDirectories } from "../daemon/check-directories.ts";
import { checkMountpoint } from "../daemon/check-mountpoint.ts";
import type { DaemonStart } from "../daemon/daemon-start.ts";
import { spawnDaemon } from "../daemon/spawn-daemon.ts";
import { stopDaemon } from "../daemon/stop-daemon.ts";
import { nearestName } from "../options/nearest-name.ts";
import { OptionError } from "../options/option-error.ts";
import { parseMountOptions } from "../options/parse-mount-options.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { commandNames } from "./command-names.ts";
import { ExitCode } from "./exit-code.ts";
import { logDestination } from "./log-destination.ts";
import type { ScannedArguments } from "./scan-arguments.ts";

// for replaying the journal and mounting, beside what S3 may take
const startMarginMs = 30_000;

/** Mounts and returns once it answers, or stays with --foreground; resolves to the exit code. */
export async function mountCommand(
  scanned: ScannedArguments,
  context: CommandContext,
): Promise<number> {
  const start = await prepare(scanned, context);
  if (start.options.daemon.foreground) await serve(start);
  else await daemonise(start, context);
  return ExitCode.ok;
}

async function prepare(scanned: ScannedArguments, context: CommandContext): Promise<DaemonStart> {
  const { environment } = context;
  const [source, mountpoint] = scanned.words;
  // options first: a mistyped one may have left its value among the words
  const { options, notices } = parseMountOptions(
    { source: source ?? "missing", mountpoint: mountpoint ?? "/", given: scanned.given },
    environment,
  );
  checkWords(scanned.words);
  for (const notice of notices) complain(context, notice);
  const checked = await checkMountpoint(options);
  if (checked.staleMounts > 0) complain(context, `removed a dead mount from ${checked.mountpoint}`);
  await checkDirectories(options);
  await checkCredentials(options, environment);
  return {
    options: { ...options, mountpoint: checked.mountpoint },
    logTo: await logDestination(options, environment.variables),
    runtimeDirectories: context.runtimeDirectories,
    version: context.version,
  };
}

function checkWords(words: readonly string[]): void {
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

async function serve(start: DaemonStart): Promise<void> {
  // loaded only now: the parent of a daemon never needs it
  const [{ runDaemonProcess }, { loadParts }] = await Promise.all([
    import("../daemon/daemon-process.ts"),
    import("../daemon/load-parts.ts"),
  ]);
  const daemon = await runDaemonProcess(start, await loadParts());
  await daemon.finished;
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
    await checkAnswer(mountpoint);
  } catch (error) {
    await stopDaemon(pid, mountpoint);
    throw error;
  }
  if (warning !== undefined) complain(context, warning);
}
