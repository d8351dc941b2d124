// Where the bytes of a name are, and which ones.
import type { ObjectInfo } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";

/** Whether it exists on this host only, or its bytes are elsewhere than at its key. */
export function isHeldHere(entry: NamespaceEntry): boolean {
  return entry.local === true || entry.staged !== undefined || entry.key !== undefined;
}

/** Whether an entry's content is the object's, as far as a listing can tell. */
export function isSameVersion(entry: NamespaceEntry, object: ObjectInfo): boolean {
  if (entry.size !== object.size) return false;
  if (object.etag === "" || entry.etag === undefined || entry.etag === "") {
    return entry.etag === object.etag || object.etag === "";
  }
  return entry.etag === object.etag;
}
