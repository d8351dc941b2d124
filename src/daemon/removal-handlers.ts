// The verbs of `pailfs undelete` and `pailfs flush --deletes` on the control socket.
import type { ControlHandler } from "./control-server.ts";
import type { RemovalControl, RemovedPage } from "./removal-report.ts";
import { StartError } from "./start-error.ts";

/** Names of a page: a reply is one line, lines have a limit, and a path has up to 4 KiB. */
const PAGE_NAMES = 200;

/** A handler for each verb. */
export function removalHandlers(
  removals: RemovalControl,
): Readonly<Record<string, ControlHandler>> {
  return {
    removed: async ({ path, after }) =>
      page(removals, absolute(path), typeof after === "string" ? after : ""),
    undelete: async ({ paths, sinceMs }) =>
      removals.undelete(pathsOf(paths), typeof sinceMs === "number" ? sinceMs : 0),
    deleteNow: async ({ paths }) => ({ count: await removals.expire(pathsOf(paths)) }),
  };
}

function page(removals: RemovalControl, path: string, after: string): RemovedPage {
  const items = removals.list(path, after, PAGE_NAMES);
  const last = items.at(-1);
  return { items, ...(items.length < PAGE_NAMES || !last ? {} : { next: last.path }) };
}

function pathsOf(paths: unknown): readonly string[] {
  return Array.isArray(paths) ? paths.map(absolute) : [];
}

function absolute(path: unknown): string {
  if (typeof path === "string" && path.startsWith("/")) return path;
  throw new StartError("usage", `Cannot use path ${JSON.stringify(path)}: want an absolute one`);
}
