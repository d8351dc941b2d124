// All pages of a listing, whatever the store does with tokens.
import { FsError } from "../posix/errno.ts";
import type { ListOptions, ListPage, ObjectStore } from "./object-store.ts";

// Yields pages until the end, each common prefix told once. Rejects with EIO when a token comes again: going on would
// not end, and stopping would make objects vanish.
export async function* listAllPages(
  store: Pick<ObjectStore, "listObjects">,
  options: ListOptions,
): AsyncGenerator<ListPage, void> {
  const seenTokens = new Set<string>();
  const seenPrefixes = new Set<string>();
  for (let question = options; ;) {
    const page = await store.listObjects(question);
    const commonPrefixes = page.commonPrefixes.filter((prefix) => !seenPrefixes.has(prefix));
    for (const prefix of commonPrefixes) seenPrefixes.add(prefix);
    yield { ...page, commonPrefixes };
    const { nextToken } = page;
    if (nextToken === undefined) return;
    if (seenTokens.has(nextToken)) {
      throw new FsError("EIO", `Cannot LIST "${options.prefix}": the listing does not advance`);
    }
    seenTokens.add(nextToken);
    question = { ...options, continuationToken: nextToken };
  }
}
