// Objects that other tools make for directories: `dir/` (goofys, s3fs, rclone, consoles) and `dir_$folder$` (Hadoop and
// what is built on it; s3fs knows it too). They are the directory, and are no names of their own.
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { KeyMap } from "../core-options.ts";

const FOLDER = "_$folder$";

/** The key less its `_$folder$`, when an object of that size is a marker; else undefined. */
export function folderOfMarker(key: string, size: number): string | undefined {
  if (size !== 0 || !key.endsWith(FOLDER)) return undefined;
  const folder = key.slice(0, -FOLDER.length);
  return folder === "" || folder.endsWith("/") ? undefined : folder;
}

/** The key of the `_$folder$` marker of the directory at `key`. */
export function folderMarkerKey<Key extends string>(key: Key): Key {
  return `${key}${FOLDER}` as Key;
}

/** What follows the key of a directory in the keys of its markers. */
export function markerEndings(entry: NamespaceEntry): string[] {
  return [...(entry.marker ? ["/"] : []), ...(entry.folderMarker ? [FOLDER] : [])];
}

/** Keys of the markers that the directory at `path` has. */
export function markerKeys(keys: KeyMap, path: string, entry: NamespaceEntry): string[] {
  const endings = markerEndings(entry);
  return endings.length === 0 ? [] : endings.map((ending) => `${keys.toKey(path)}${ending}`);
}
