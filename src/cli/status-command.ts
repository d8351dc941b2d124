// `pailfs status`: what the daemons say of themselves.
import { callDaemon } from "../daemon/control-client.ts";
import { StartError } from "../daemon/start-error.ts";
import type { DaemonStatus } from "../daemon/status.ts";
import type { CommandContext } from "./command-context.ts";
import { describeBytes, describeSpan } from "./describe.ts";
import { ExitCode } from "./exit-code.ts";
import { findDaemons, mountpointOf, requireDaemon } from "./find-daemon.ts";

// a daemon answers from memory: one that takes longer is stuck
const patienceMs = 5000;

/** Prints one mount's status, or all; with `json` an object, or an array of all. */
export async function statusCommand(
  mountpoint: string | undefined,
  json: boolean,
  context: CommandContext,
): Promise<number> {
  if (mountpoint !== undefined) {
    const record = await requireDaemon(await mountpointOf(mountpoint, context), context);
    const status = await ask(record.socketPath);
    context.stdout(json ? toJson(status) : describeStatus(status, Date.now()));
    return ExitCode.ok;
  }
  const records = await findDaemons(context);
  const answers = await Promise.allSettled(records.map(async (record) => ask(record.socketPath)));
  const statuses = answers.flatMap((answer) =>
    answer.status === "fulfilled" ? [answer.value] : [],
  );
  if (json) context.stdout(toJson(statuses));
  else if (statuses.length === 0) context.stdout("Nothing is mounted.\n");
  else context.stdout(statuses.map((status) => describeStatus(status, Date.now())).join("\n"));
  const failed = answers.find((answer) => answer.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return ExitCode.ok;
}

async function ask(socketPath: string): Promise<DaemonStatus> {
  const signal = AbortSignal.timeout(patienceMs);
  try {
    return await callDaemon(socketPath, "status", {}, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new StartError("runtime", `The daemon at ${socketPath} does not answer`, {
      cause: error,
    });
  }
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A status as a few lines of text, `now` in ms since the epoch. */
export function describeStatus(status: DaemonStatus, now: number): string {
  const rows = [
    ["queue", describeQueue(status.queue, now)],
    ...describeDeletes(status.queue, status.mountpoint, now),
    ...(status.failingSinceMs === undefined
      ? []
      : [["s3", `no answer of use for ${describeSpan(now - status.failingSinceMs)}`]]),
    ["cache", describeCache(status.cache)],
    ...(status.local === undefined
      ? []
      : [["local", `${describeBytes(status.local.bytes)} in ${status.local.files} files`]]),
    ...(status.coverage === undefined
      ? []
      : [["coverage", describeCoverage(status.coverage, now)]]),
    ...(status.names === undefined
      ? []
      : [["names", `${status.names.waiting} only in memory: ${status.names.failure}`]]),
    ["requests", describeRequests(status.requests)],
    [
      "daemon",
      `pid ${status.pid}, ${status.phase}, up ${describeSpan(now - status.startedMs)}, ` +
        `${describeBytes(status.memoryBytes)} of memory, ${status.adapter} adapter, ` +
        `passthrough ${status.passthrough ? "on" : "off"}`,
    ],
    ...(status.threadHandles === undefined
      ? []
      : [["native", describeThreadHandles(status.threadHandles)]]),
  ];
  const lines = rows.map(([name = "", text]) => `  ${name.padEnd(9)} ${text}`);
  return `${[`${status.source} on ${status.mountpoint}`, ...lines].join("\n")}\n`;
}

function describeThreadHandles({
  count,
  advice,
}: NonNullable<DaemonStatus["threadHandles"]>): string {
  return `${count} handles of threads${advice === undefined ? "" : `; ${advice}`}`;
}

function describeQueue(queue: DaemonStatus["queue"], now: number): string {
  const waiting =
    queue.length === 0 ? "empty" : `${queue.length} waiting, ${describeBytes(queue.bytes)}`;
  const oldest =
    queue.oldestMs === undefined ? "" : `, oldest ${describeSpan(now - queue.oldestMs)}`;
  const refused = queue.refused === 0 ? "" : `, ${queue.refused} stuck (see pailfs queue)`;
  const error =
    queue.lastError === undefined
      ? ""
      : `; failing for ${describeSpan(now - queue.lastError.sinceMs)}: ${queue.lastError.message}`;
  return `${waiting}${oldest}${refused}${error}`;
}

/** Rows of what was removed and is still in the bucket. */
function describeDeletes(
  { delayed, burst }: DaemonStatus["queue"],
  mountpoint: string,
  now: number,
): string[][] {
  const { count, bytes, dueMs } = delayed;
  const rows: string[][] = [];
  if (count > 0)
    rows.push(["deletes", `${describeDelayed(count, dueMs, now)}, ${describeBytes(bytes)}`]);
  if (burst !== undefined) {
    const since = `${burst.count} files were removed since ${describeSpan(now - burst.sinceMs)}`;
    const first = burst.first.map((key) => JSON.stringify(key)).join(", ");
    const names = first === "" ? "" : `, first ${first}`;
    const remedy =
      count > 0
        ? `to bring back what still can be: pailfs undelete ${mountpoint} --all`
        : "this cannot be undone";
    rows.push(["BURST", `${since}${names}; ${remedy}`]);
  }
  return rows;
}

/** Of how many removed files the deletes wait, and until when the first does. */
export function describeDelayed(count: number, dueMs: number | undefined, now: number): string {
  if (dueMs === undefined) return `${count} wait`;
  const until = new Date(dueMs).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
  const left = dueMs > now ? `, in ${describeSpan(dueMs - now)}` : "";
  return `${count} wait until ${until} (the first${left})`;
}

function describeCache(cache: DaemonStatus["cache"]): string {
  const asked = cache.hits + cache.misses;
  const rate = asked === 0 ? "" : `, ${Math.round((100 * cache.hits) / asked)} % hits`;
  const failure = cache.failure === undefined ? "" : `; bypassed: ${cache.failure}`;
  return `${describeBytes(cache.bytes)} of ${describeBytes(cache.limitBytes)} in ${cache.objects} objects${rate}${failure}`;
}

function describeCoverage(coverage: NonNullable<DaemonStatus["coverage"]>, now: number): string {
  const { complete, sinceMs, unknownDirectories, crawl } = coverage;
  const state = !complete
    ? "not complete yet"
    : `complete${sinceMs === undefined ? "" : ` as of ${describeSpan(now - sinceMs)} ago`}`;
  const unknown =
    unknownDirectories === 0
      ? ""
      : `, but for ${unknownDirectories} directories that others changed`;
  if (crawl === undefined) return state + unknown;
  const waits = crawl.failure === undefined ? "" : `; waiting: ${crawl.failure}`;
  const span = describeSpan(now - crawl.startedMs);
  return `${state}${unknown}; crawling for ${span}, ${crawl.listed} objects listed${waits}`;
}

function describeRequests(requests: DaemonStatus["requests"]): string {
  const sent = Object.entries(requests).filter(([, count]) => count > 0);
  return sent.length === 0 ? "none" : sent.map(([verb, count]) => `${verb} ${count}`).join(", ");
}
