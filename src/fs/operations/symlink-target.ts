// Where a symlink that is an object leads: its body (--metadata=object).
import { FsError } from "../../posix/errno.ts";
import type { ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { pinned } from "../reading/object-handle.ts";

/** The body as a path, trimmed as s3fs does; rejects with EIO when it cannot be one, with ESTALE when it is another object. */
export async function readTarget(
  store: Pick<ObjectStore, "getObject">,
  key: ObjectKey,
  entry: Pick<NamespaceEntry, "etag" | "size">,
  signal: AbortSignal,
): Promise<string> {
  const ifMatch = entry.etag ? { ifMatch: entry.etag } : {};
  const range = { start: 0, end: entry.size };
  const read = async (): Promise<Buffer> => {
    const chunks: Uint8Array[] = [];
    const { body } = await store.getObject(key, { range, signal, ...ifMatch });
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const bytes = await pinned(key, read(), () => undefined);
  const target = bytes.toString().trim();
  if (target !== "" && !target.includes("\0")) return target;
  throw new FsError("EIO", `Cannot read the link "${key}": its content is no path`);
}
