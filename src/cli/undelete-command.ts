// `pailfs undelete`: brings back removed files whose objects are still there, or lists them.
import { callDaemon } from "../daemon/control-client.ts";
import type { RemovedName } from "../daemon/removal-report.ts";
import { OptionError } from "../options/option-error.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { describeBytes, describeSpan } from "./describe.ts";
import { ExitCode } from "./exit-code.ts";
import { mountpointOf, requireDaemon } from "./find-daemon.ts";
import { pathInMount } from "./path-commands.ts";

export interface UndeleteWish {
  readonly mountpoint: string;
  readonly paths: readonly string[];
  readonly all: boolean;
  readonly list: boolean;
  readonly json: boolean;
  /** Only what was removed so long ago at most. */
  readonly sinceMs: number | undefined;
}

/** Characters of a request: a request is one line, and lines have a limit. */
const REQUEST_CHARACTERS = 20_000;

/** Resolves to the exit code: 1 when a name stays removed. Rejects with OptionError or StartError. */
export async function undeleteCommand(
  wish: UndeleteWish,
  context: CommandContext,
): Promise<number> {
  const { all, list, sinceMs } = wish;
  if (wish.paths.length > 0 && all) {
    throw new OptionError("Cannot undelete: want either paths or --all");
  }
  if (wish.paths.length === 0 && !all && !list && sinceMs === undefined) {
    throw new OptionError("Cannot undelete: want paths, --all, or --list to see what there is");
  }
  const mountpoint = await mountpointOf(wish.mountpoint, context);
  const given = wish.paths.length === 0 ? [mountpoint] : wish.paths;
  const paths = given.map((path) => pathInMount(mountpoint, path));
  const { socketPath } = await requireDaemon(mountpoint, context);
  const from = sinceMs === undefined ? 0 : Date.now() - sinceMs;
  if (list) return listRemoved(socketPath, { paths, from, json: wish.json }, context);
  return undelete(socketPath, paths, from, context);
}

async function undelete(
  socketPath: string,
  paths: readonly string[],
  sinceMs: number,
  context: CommandContext,
): Promise<number> {
  let restored = 0;
  let left = 0;
  for (const part of requests(paths)) {
    const report = await callDaemon(socketPath, "undelete", { paths: part, sinceMs });
    restored += report.restored;
    left += report.refusedCount;
    for (const { path, reason } of report.refused) {
      complain(context, `Cannot bring back ${JSON.stringify(path)}: ${reason}`, "error");
    }
    const untold = report.refusedCount - report.refused.length;
    if (untold > 0) complain(context, `${untold} more cannot be brought back`, "error");
  }
  context.stdout(`${restored} brought back\n`);
  return left === 0 ? ExitCode.ok : ExitCode.runtime;
}

async function listRemoved(
  socketPath: string,
  { paths, from, json }: { paths: readonly string[]; from: number; json: boolean },
  context: CommandContext,
): Promise<number> {
  const found: RemovedName[] = [];
  const now = Date.now();
  for (const path of paths) {
    for (let after: string | undefined = ""; after !== undefined;) {
      const page: { items: readonly RemovedName[]; next?: string } = await callDaemon(
        socketPath,
        "removed",
        { path, after },
      );
      const items = page.items.filter(({ removedMs }) => removedMs >= from);
      if (json) found.push(...items);
      else context.stdout(items.map((item) => `${describeRemoved(item, now)}\n`).join(""));
      after = page.next;
    }
  }
  if (json) context.stdout(`${JSON.stringify(found, undefined, 2)}\n`);
  return ExitCode.ok;
}

/** One line of the list, `now` in ms since the epoch. */
export function describeRemoved(item: RemovedName, now: number): string {
  const { path, bytes, removedMs, notBefore } = item;
  const size = bytes === undefined ? "" : `, ${describeBytes(bytes)}`;
  const left = notBefore > now ? `goes in ${describeSpan(notBefore - now)}` : "goes now";
  return `${JSON.stringify(path)}${size}, removed ${describeSpan(now - removedMs)} ago, ${left}`;
}

/** `pailfs flush --deletes`: ends the delay of removed files, and waits until their objects are gone. */
export async function deleteNow(
  wish: { readonly mountpoint: string; readonly paths: readonly string[] },
  context: CommandContext,
): Promise<number> {
  const mountpoint = await mountpointOf(wish.mountpoint, context);
  const given = wish.paths.length === 0 ? [mountpoint] : wish.paths;
  const paths = given.map((path) => pathInMount(mountpoint, path));
  const { socketPath } = await requireDaemon(mountpoint, context);
  let deleted = 0;
  for (const part of requests(paths)) {
    const signal = context.interruptible();
    const { count } = await callDaemon(socketPath, "deleteNow", { paths: part }, { signal });
    deleted += count;
  }
  context.stdout(`${deleted} deleted\n`);
  return ExitCode.ok;
}

function requests(paths: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  let characters = 0;
  for (const path of paths) {
    characters += path.length;
    if (characters > REQUEST_CHARACTERS) {
      parts.push([]);
      characters = path.length;
    }
    parts.at(-1)?.push(path);
  }
  return parts;
}
