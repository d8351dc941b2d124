// Makes changed attributes of a name durable.
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import { localAttributesOf } from "./entries.ts";
import type { Located, Namespace } from "./namespace.ts";

/** Visible at once, durable when it resolves; of a file that was created and not closed yet, with its close. */
export async function keepEntry(
  namespace: Namespace,
  located: Pick<Located, "path" | "parent" | "name">,
  entry: NamespaceEntry,
): Promise<void> {
  const { parent, name, path } = located;
  if (namespace.isCreated(parent, name)) {
    namespace.setCreated(parent, name, entry);
    return;
  }
  const isAttributed = entry.attributed || entry.local;
  await namespace.mutate({
    names: [{ parent, name, entry }],
    ...(isAttributed ? { attributes: [{ path, attributes: localAttributesOf(entry) }] } : {}),
  });
}
