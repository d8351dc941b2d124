// `pailfs queue`: what is stuck on its way to the bucket, and what to do about it.
import { callDaemon, NoDaemonError } from "../daemon/control-client.ts";
import type { QueueItem } from "../spool/queue-item.ts";
import { StartError } from "../daemon/start-error.ts";
import { OptionError } from "../options/option-error.ts";
import type { CommandContext } from "./command-context.ts";
import { describeBytes, describeSpan } from "./describe.ts";
import { ExitCode } from "./exit-code.ts";
import { exportItems } from "./export-items.ts";
import { findDaemon, mountpointOf } from "./find-daemon.ts";
import { describeDelayed } from "./status-command.ts";

export interface QueueWish {
  readonly mountpoint: string;
  readonly action: string | undefined;
  readonly items: readonly string[];
  readonly all: boolean;
  readonly json: boolean;
  readonly loseData: boolean;
}

/** Resolves to the exit code; rejects with OptionError or StartError. */
export async function queueCommand(wish: QueueWish, context: CommandContext): Promise<number> {
  const work = workOf(wish);
  const mountpoint = await mountpointOf(wish.mountpoint, context);
  try {
    const record = await findDaemon(mountpoint, context);
    if (record === undefined) throw noDaemon(mountpoint);
    return await work(record.socketPath, context);
  } catch (error) {
    throw error instanceof NoDaemonError ? noDaemon(mountpoint, error) : error;
  }
}

type Work = (socketPath: string, context: CommandContext) => Promise<number>;

function workOf(wish: QueueWish): Work {
  const { action, items } = wish;
  switch (action) {
    case undefined:
    case "list":
      if (items.length > 0) throw new OptionError(`Cannot list "${items[0]}": list takes no ids`);
      return async (socketPath, context) => list(socketPath, wish, context);
    case "retry":
      return async (socketPath, context) => retry(socketPath, items, context);
    case "export": {
      const [directory, ...ids] = items;
      if (directory === undefined)
        throw new OptionError(
          "Cannot export: want pailfs queue MOUNTPOINT export DIRECTORY [ID..]",
        );
      return async (socketPath, context) => {
        const chosen = ids.length > 0 ? ids : await exportable(socketPath);
        return exportItems(socketPath, directory, chosen, context);
      };
    }
    case "discard":
      checkDiscard(wish);
      return async (socketPath, context) => discard(socketPath, items, context);
    default:
      throw new OptionError(
        `Cannot ${action} the queue: want retry, export or discard, or nothing to list it`,
      );
  }
}

function checkDiscard({ mountpoint, items, loseData }: QueueWish): void {
  if (items.length === 0) {
    throw new OptionError("Cannot discard: want pailfs queue MOUNTPOINT discard ID.. --lose-data");
  }
  if (loseData) return;
  throw new OptionError(
    `Cannot discard ${items.join(" ")} without --lose-data: what is discarded is gone for good; ` +
      `to save it first: pailfs queue ${mountpoint} export DIRECTORY ${items.join(" ")}`,
  );
}

function noDaemon(mountpoint: string, cause?: unknown): StartError {
  return new StartError(
    "runtime",
    `No pailfs is mounted on "${mountpoint}", and only a mount can tell of its queue: mount it (this works with S3 ` +
      "down too) and ask again; quarantined files are plain files in quarantine/ of its state directory",
    { cause },
  );
}

async function allItems(socketPath: string, all: boolean): Promise<QueueItem[]> {
  const items: QueueItem[] = [];
  for (let after: string | undefined = ""; after !== undefined;) {
    const page: { items: readonly QueueItem[]; next?: string } = await callDaemon(
      socketPath,
      "queue",
      { after, all },
    );
    items.push(...page.items);
    after = page.next;
  }
  return items;
}

async function list(socketPath: string, wish: QueueWish, context: CommandContext): Promise<number> {
  const items = await allItems(socketPath, wish.all);
  if (wish.json) {
    context.stdout(`${JSON.stringify(items, undefined, 2)}\n`);
    return ExitCode.ok;
  }
  const now = Date.now();
  if (items.length === 0) context.stdout(wish.all ? "Nothing waits.\n" : "Nothing is stuck.\n");
  else context.stdout(items.map((item) => `${describeItem(item, now)}\n`).join(""));
  const { delayed } = (await callDaemon(socketPath, "status", {})).queue;
  if (delayed.count === 0) return ExitCode.ok;
  const waiting = describeDelayed(delayed.count, delayed.dueMs, now);
  context.stdout(`Deletes: ${waiting}; see pailfs undelete ${wish.mountpoint} --list\n`);
  return ExitCode.ok;
}

/** One line of the list: id, state and since when, what, why. */
export function describeItem(item: QueueItem, now: number): string {
  const { id, state, kind, key, from, bytes, sinceMs, attempts, reason } = item;
  const since = sinceMs === undefined ? "" : ` for ${describeSpan(now - sinceMs)}`;
  const what = key === undefined ? "a file without a name" : JSON.stringify(key);
  const source = from === undefined ? "" : ` from ${JSON.stringify(from)}`;
  const size = bytes === undefined ? "" : `, ${describeBytes(bytes)}`;
  const tried = attempts === undefined ? "" : `, tried ${attempts} times`;
  const why = reason === undefined ? "" : `: ${reason.replaceAll(/\s*\n\s*/g, " ")}`;
  return `${id}  ${state}${since}  ${kind} ${what}${source}${size}${tried}${why}`;
}

async function retry(
  socketPath: string,
  ids: readonly string[],
  context: CommandContext,
): Promise<number> {
  const { count } = await callDaemon(socketPath, "queueRetry", { ids });
  context.stdout(`${count} tried again\n`);
  return ExitCode.ok;
}

async function exportable(socketPath: string): Promise<readonly string[]> {
  const items = await allItems(socketPath, false);
  return items.filter(({ kind }) => kind === "put").map(({ id }) => id);
}

async function discard(
  socketPath: string,
  ids: readonly string[],
  context: CommandContext,
): Promise<number> {
  for (const id of ids) {
    await callDaemon(socketPath, "queueDiscard", { id });
    context.stdout(`${id} discarded\n`);
  }
  return ExitCode.ok;
}
