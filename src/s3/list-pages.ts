// All pages of a listing, whatever the store does with tokens.
import { FsError } from "../posix/errno.ts";
import type { ListOptions, ListPage, ObjectStore } from "./object-store.ts";

/** Pages that may wait for their reader. */
const AHEAD = 2;

// Yields pages until the end as the store gave them; behind page number `aheadFrom` (from 0) the next two are asked for
// before they are wanted. Rejects with EIO when a token comes again: going on would not end, and stopping would make
// objects vanish.
export async function* listPages(
  store: Pick<ObjectStore, "listObjects">,
  options: ListOptions,
  aheadFrom = Infinity,
): AsyncGenerator<ListPage, void> {
  const tokens = new Set<string>();
  const ready: ListPage[] = [];
  let question: ListOptions | undefined = options;
  let isStuck = false;
  let isAhead = false;
  let flight: Promise<void> | undefined;
  const take = (page: ListPage): void => {
    const { nextToken } = page;
    isStuck = nextToken !== undefined && tokens.has(nextToken);
    const mayGoOn = nextToken !== undefined && !isStuck;
    question = mayGoOn ? { ...options, continuationToken: nextToken } : undefined;
    if (mayGoOn) tokens.add(nextToken);
    ready.push(page);
    flight = undefined;
    if (isAhead && ready.length < AHEAD) ask();
  };
  const ask = (): void => {
    if (flight || !question) return;
    flight = store.listObjects(question).then(take);
    // whoever wants the page gets the error; nobody may want it
    flight.catch(() => undefined);
  };
  for (let number = 0; ; number += 1) {
    if (ready.length === 0) {
      ask();
      await flight;
    }
    const page = ready.shift();
    if (!page) break;
    isAhead = number >= aheadFrom;
    if (isAhead) ask();
    yield page;
  }
  if (isStuck) {
    throw new FsError("EIO", `Cannot LIST "${options.prefix}": the listing does not advance`);
  }
}
