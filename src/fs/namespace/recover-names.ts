// The names of pending work, after the index was lost: what was acknowledged and is not in the bucket yet has no other
// witness than its record.
import { FileType, isDirectory } from "../../posix/stat.ts";
import { joinPath, parentPath, splitPath } from "../../posix/path.ts";
import type { QueueRecord } from "../../state/queue-record.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { newEntry } from "./entries.ts";
import { folderOfMarker } from "./markers.ts";
import { type Located, Namespace } from "./namespace.ts";
import { type QueuedContent, queuedContent } from "./queued-content.ts";

/**
 * Makes each name that the queue gives bytes to, with the directories above it; where the index was not `rebuilt`, those
 * that it lacks: an earlier start may have built it anew and died before it knew these.
 */
export function recoverNames(
  namespace: Namespace,
  keys: KeyMap,
  options: CoreOptions,
  records: Iterable<{ readonly record: QueueRecord }>,
  rebuilt: boolean,
): void {
  const queued = [...records];
  for (const [key, content] of queuedContent(queued)) {
    const path = keys.toPath(key);
    if (path === undefined || path === "/") continue;
    // removed while it was on its way to the bucket
    if (namespace.state.removed.get(key)) continue;
    if (!rebuilt && (isOwnVersion(key, content) || namespace.durable(path))) continue;
    const known = options.metadata === "object" ? namespace.known(path) : undefined;
    if (known?.entry.local) {
      recoverObject(namespace, known, key, content);
      continue;
    }
    const directory = directoryFor(namespace, options, path);
    const name = splitPath(path).at(-1) ?? "";
    if (!directory) continue;
    if (namesMarker(key, content)) {
      if (options.metadata === "object")
        recoverDirectory(namespace, directory, name, key, content, options);
      continue;
    }
    const local = namespace.state.localAttributes(path);
    const mode = FileType.file | options.fileMode;
    const place = { ...placeOf(key, content), size: content.size };
    const fresh = newEntry(namespace.nextIno(), mode, options, place);
    const entry: NamespaceEntry =
      local && (local.mode & FileType.mask) === FileType.file ? withLocal(fresh, local) : fresh;
    namespace.learn([{ parent: directory.entry.ino, name, entry }]);
  }
  for (const { record } of queued) {
    if (record.kind === "delete") doubtDirectories(namespace, keys.toPath(record.key));
  }
}

/** Unknown directories above a key that goes: they may hold more than that, which a listing above them does not tell. */
function doubtDirectories(namespace: Namespace, path: string | undefined): void {
  if (path === undefined) return;
  for (let at = parentPath(path); at !== "/"; at = parentPath(at)) {
    if (namespace.known(at) === undefined) namespace.unsure.add(at);
  }
}

function namesMarker(key: string, { size }: QueuedContent): boolean {
  return key.endsWith("/") || folderOfMarker(key, size) !== undefined;
}

/** Whether the bucket has it where it belongs: then a listing tells of it. */
function isOwnVersion(own: string, content: QueuedContent): boolean {
  return "key" in content && content.key === own;
}

/** Where the bytes are until the queue has run. */
function placeOf(
  own: string,
  content: QueuedContent,
): Pick<NamespaceEntry, "staged" | "key" | "etag"> {
  if ("staged" in content) return { staged: content.staged };
  const { key, etag } = content;
  // moved away and back before anything was copied, or only described
  return key === own ? { etag } : { key, etag };
}

/** A directory whose marker is being copied: until that is there, no listing tells of it. */
function recoverDirectory(
  namespace: Namespace,
  { entry: { ino } }: Located,
  name: string,
  key: string,
  content: QueuedContent,
  options: CoreOptions,
): void {
  if (!key.endsWith("/") || namespace.get(ino, name)) return;
  const mode = FileType.directory | options.dirMode;
  const place = { ...placeOf(key, content), marker: true };
  const entry = newEntry(namespace.nextIno(), mode, options, { ...place, until: 0 });
  namespace.learn([{ parent: ino, name, entry }]);
}

/** A directory, symlink or special file that local attributes brought back, and whose object is on its way. */
function recoverObject(
  namespace: Namespace,
  { parent, name, entry }: Located,
  key: string,
  content: QueuedContent,
): void {
  if (isDirectory(entry) !== namesMarker(key, content)) return;
  const marker = isDirectory(entry) ? { marker: true } : {};
  const placed = { ...entry, ...placeOf(key, content), ...marker };
  namespace.learn([{ parent, name, entry: placed }]);
}

function withLocal(
  fresh: NamespaceEntry,
  local: Pick<NamespaceEntry, "mode" | "uid" | "gid"> & Partial<NamespaceEntry>,
): NamespaceEntry {
  const { mtime, atime, ctime } = fresh;
  return { ...fresh, mtime, atime, ctime, ...local, rdev: 0, attributed: true };
}

/** The directory of `path`, made of implied directories where it is unknown; undefined when a file is in the way. */
function directoryFor(
  namespace: Namespace,
  options: CoreOptions,
  path: string,
): Located | undefined {
  let located = namespace.root();
  for (const name of splitPath(path).slice(0, -1)) {
    const parent = located.entry.ino;
    const mode = FileType.directory | options.dirMode;
    let entry = namespace.get(parent, name);
    if (!entry) {
      entry = newEntry(namespace.nextIno(), mode, options, { until: 0 });
      namespace.learn([{ parent, name, entry }]);
    }
    if (!isDirectory(entry)) return undefined;
    located = { path: joinPath(located.path, name), parent, name, entry };
  }
  return located;
}
