// The verbs of `pailfs queue` on the control socket.
import type { ControlHandler } from "./control-server.ts";
import type { QueueItem } from "../spool/queue-item.ts";
import type { QueueControl, QueuePage } from "./queue-report.ts";
import { StartError } from "./start-error.ts";

/** Characters of a page: a reply is one line, and lines have a limit. */
const PAGE_CHARACTERS = 200_000;

/** A handler for each verb. */
export function queueHandlers(queue: QueueControl): Readonly<Record<string, ControlHandler>> {
  return {
    queue: async ({ after, all }) =>
      page(queue, typeof after === "string" ? after : "", all === true),
    queueRetry: async (given) => ({ count: queue.retry(idsOf(given)) }),
    queueExport: async (given, _progress, signal) => queue.export(idOf(given), signal),
    queueDiscard: async (given) => queue.discard(idOf(given)),
  };
}

async function page(queue: QueueControl, after: string, all: boolean): Promise<QueuePage> {
  const items: QueueItem[] = [];
  let characters = 0;
  for await (const item of queue.list(after, all)) {
    const last = items.at(-1);
    if (last !== undefined && characters > PAGE_CHARACTERS) return { items, next: last.id };
    items.push(item);
    characters += JSON.stringify(item).length;
  }
  return { items };
}

function idOf(given: Readonly<Record<string, unknown>>): string {
  const { id } = given;
  if (typeof id === "string" && id !== "") return id;
  throw new StartError("usage", `Cannot use id ${JSON.stringify(id)}: want one of pailfs queue`);
}

function idsOf(given: Readonly<Record<string, unknown>>): readonly string[] {
  const { ids } = given;
  if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return ids as string[];
  throw new StartError("usage", `Cannot use ids ${JSON.stringify(ids)}: want a list`);
}
