import { access } from "node:fs/promises";
import { fstatSync } from "node:fs";
import { join } from "node:path";
import type { LogDestination } from "../daemon/log-target.ts";
import type { MountOptions } from "../options/mount-options.ts";

/** Where the log goes: --log-file, the journal if standard error is it, the terminal in the foreground, else syslog. */
export async function logDestination(
  options: MountOptions,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<LogDestination> {
  if (options.log.file !== undefined) return { kind: "file", path: options.log.file };
  if (isJournal(variables["JOURNAL_STREAM"])) return { kind: "stderr", style: "journal" };
  if (options.daemon.foreground) return { kind: "stderr", style: "plain" };
  const fallback = join(options.spool.stateDirectory, "pailfs.log");
  const hasSyslog = await access("/dev/log").then(
    () => true,
    () => false,
  );
  return hasSyslog ? { kind: "syslog", tag: "pailfs", fallback } : { kind: "file", path: fallback };
}

/** Whether standard error is the stream that JOURNAL_STREAM names; a redirected one is not (systemd.exec(5)). */
export function isJournal(stream: string | undefined): boolean {
  if (stream === undefined || stream === "") return false;
  const { dev, ino } = fstatSync(2);
  return stream === `${dev}:${ino}`;
}
