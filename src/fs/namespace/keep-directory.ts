// A directory that is only implied by the keys below it has to stay when the last of them goes, until rmdir(2).
import type { LocalAttributes, NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import { localAttributesOf } from "./entries.ts";
import type { Located, Namespace } from "./namespace.ts";

/** What a change of the names in a directory does to the directory itself. */
export interface DirectoryChange {
  readonly names: readonly NameChange[];
  readonly attributes: readonly { path: string; attributes: LocalAttributes }[];
}

/**
 * The directory gets new times. When the name `leaving` goes (to another directory, or for good), it becomes one of this
 * host if that was the last name in it that is known; and it is asked about anew if an object comes to light there.
 */
export function directoryChange(
  namespace: Namespace,
  directory: Located,
  leaving?: string,
  leavesDirectory = true,
): DirectoryChange {
  const touched = namespace.touchDirectory(directory);
  if (!touched?.entry) return { names: [], attributes: [] };
  const entry = withoutDoubtfulListing(namespace, directory, touched.entry, leaving);
  const isImplied = !entry.local && !entry.marker && !entry.folderMarker;
  if (leaving === undefined || !leavesDirectory || !isImplied || directory.path === "/") {
    return { names: [{ ...touched, entry }], attributes: [] };
  }
  for (const [name] of namespace.children(entry.ino)) {
    if (name !== leaving) return { names: [{ ...touched, entry }], attributes: [] };
  }
  const kept = { ...entry, local: true, until: Infinity };
  return {
    names: [{ ...touched, entry: kept }],
    attributes: [{ path: directory.path, attributes: localAttributesOf(kept) }],
  };
}

function withoutDoubtfulListing(
  namespace: Namespace,
  directory: Located,
  entry: NamespaceEntry,
  leaving: string | undefined,
): NamespaceEntry {
  const gone = leaving === undefined ? undefined : namespace.get(entry.ino, leaving);
  if (!gone || !namespace.isHiding(gone.ino)) return entry;
  namespace.onDoubt(directory);
  const { listedUntil: _, ...rest } = entry;
  return rest;
}
