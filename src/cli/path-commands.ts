// `pailfs flush` and `pailfs refresh`: one mount, and a path in it.
import { relative, resolve } from "node:path";
import { callDaemon } from "../daemon/control-client.ts";
import { isBelowOrEqual } from "../posix/path.ts";
import { OptionError } from "../options/option-error.ts";
import type { CommandContext } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";
import { mountpointOf, requireDaemon } from "./find-daemon.ts";
import { progressLine } from "./progress-line.ts";

/** Waits until what was closed before is in the bucket, or makes the daemon look at the bucket again. */
export async function pathCommand(
  verb: "flush" | "refresh",
  given: { readonly mountpoint: string; readonly path: string | undefined },
  context: CommandContext,
): Promise<number> {
  const mountpoint = await mountpointOf(given.mountpoint, context);
  const path = pathInMount(mountpoint, given.path);
  const { socketPath } = await requireDaemon(mountpoint, context);
  const line = progressLine(context);
  try {
    await callDaemon(
      socketPath,
      verb,
      { path },
      { onProgress: (progress) => line.show(progress), signal: context.interruptible() },
    );
  } finally {
    line.clear();
  }
  return ExitCode.ok;
}

/** The mount's own path of an argument: relative to the mount point, or absolute below it. */
export function pathInMount(mountpoint: string, argument: string | undefined): string {
  // not realpath: the path may be gone, or be a link in the mount
  const absolute = resolve(mountpoint, argument ?? ".");
  if (!isBelowOrEqual(absolute, mountpoint)) {
    throw new OptionError(`Cannot use "${argument}": it is not below ${mountpoint}`);
  }
  return `/${relative(mountpoint, absolute)}`;
}
