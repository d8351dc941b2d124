// A directory that is only implied by the keys below it has to stay when the last of them goes, until rmdir(2).
import type { LocalAttributes, NameChange } from "../state/namespace-entry.ts";
import { localAttributesOf } from "./entries.ts";
import type { Located, Namespace } from "./namespace.ts";

/** What a change of the names in a directory does to the directory itself. */
export interface DirectoryChange {
  readonly names: readonly NameChange[];
  readonly attributes: readonly { path: string; attributes: LocalAttributes }[];
}

/** The directory gets new times, and becomes one of this host if `leaving` is the last name in it that is known. */
export function directoryChange(
  namespace: Namespace,
  directory: Located,
  leaving?: string,
): DirectoryChange {
  const touched = namespace.touchDirectory(directory);
  if (!touched) return { names: [], attributes: [] };
  const { entry } = touched;
  const isImplied = entry && !entry.local && !entry.marker && !entry.folderMarker;
  if (!isImplied || leaving === undefined || directory.path === "/") {
    return { names: [touched], attributes: [] };
  }
  for (const [name] of namespace.children(entry.ino)) {
    if (name !== leaving) return { names: [touched], attributes: [] };
  }
  const kept = { ...entry, local: true, until: Infinity };
  return {
    names: [{ ...touched, entry: kept }],
    attributes: [{ path: directory.path, attributes: localAttributesOf(kept) }],
  };
}
