// All pages of a listing, whatever the store does with tokens.
import { FsError } from "../posix/errno.ts";
import type { ListOptions, ListPage, ObjectStore } from "./object-store.ts";

// Yields pages until the end as the store gave them; behind page number `aheadFrom` (from 0) the next one is asked for
// before it is wanted. Rejects with EIO when a token comes again: going on would not end, and stopping would make
// objects vanish.
export async function* listPages(
  store: Pick<ObjectStore, "listObjects">,
  options: ListOptions,
  aheadFrom = Infinity,
): AsyncGenerator<ListPage, void> {
  const seenTokens = new Set<string>();
  let coming = store.listObjects(options);
  for (let number = 0; ; number += 1) {
    const page = await coming;
    const { nextToken } = page;
    if (nextToken === undefined) {
      yield page;
      return;
    }
    const next = { ...options, continuationToken: nextToken };
    const mayAdvance = !seenTokens.has(nextToken);
    seenTokens.add(nextToken);
    const early = mayAdvance && number >= aheadFrom ? store.listObjects(next) : undefined;
    // whoever asks for the next page gets the error; nobody may ask
    early?.catch(() => undefined);
    yield page;
    if (!mayAdvance) {
      throw new FsError("EIO", `Cannot LIST "${options.prefix}": the listing does not advance`);
    }
    coming = early ?? store.listObjects(next);
  }
}

// As listPages(), each common prefix told once.
export async function* listAllPages(
  store: Pick<ObjectStore, "listObjects">,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const seenPrefixes = new Set<string>();
  for await (const page of listPages(store, options)) {
    const commonPrefixes = page.commonPrefixes.filter((prefix) => !seenPrefixes.has(prefix));
    for (const prefix of commonPrefixes) seenPrefixes.add(prefix);
    yield { ...page, commonPrefixes };
  }
}
