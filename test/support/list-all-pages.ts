// What a listing says in the end, for tests: the core learns page by page.
import { listPages } from "../../src/s3/list-pages.ts";
import type { ListOptions, ListPage, ObjectStore } from "../../src/s3/object-store.ts";

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
