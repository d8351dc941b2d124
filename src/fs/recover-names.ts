// The names of pending work, after the index was lost: what was acknowledged and is not in the bucket yet has no other
// witness than its record.
import { FileType, isDirectory } from "../posix/stat.ts";
import { joinPath, splitPath } from "../posix/path.ts";
import type { QueueRecord } from "../state/queue-record.ts";
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "./core-options.ts";
import { newEntry } from "./entries.ts";
import { folderOfMarker } from "./markers.ts";
import { type Located, Namespace } from "./namespace.ts";

/** Makes each name that a record in the queue gives bytes to, with the directories above it. */
export function recoverNames(
  namespace: Namespace,
  keys: KeyMap,
  options: CoreOptions,
  records: Iterable<{ readonly record: QueueRecord }>,
): void {
  for (const { record } of records) {
    if (record.kind === "delete") continue;
    const path = keys.toPath(record.kind === "copy" ? record.to : record.key);
    if (path === undefined || path === "/") continue;
    const known = options.metadata === "object" ? namespace.known(path) : undefined;
    if (known?.entry.local) {
      recoverObject(namespace, known, record);
      continue;
    }
    if (namesMarker(record)) continue;
    const directory = directoryFor(namespace, options, path);
    const name = splitPath(path).at(-1) ?? "";
    if (!directory) continue;
    const local = namespace.state.localAttributes(path);
    const mode = FileType.file | options.fileMode;
    const content = { ...placeOf(record), size: record.size };
    const fresh = newEntry(namespace.nextIno(), mode, options, content);
    const entry: NamespaceEntry =
      local && (local.mode & FileType.mask) === FileType.file ? withLocal(fresh, local) : fresh;
    namespace.learn([{ parent: directory.entry.ino, name, entry }]);
  }
}

type WriteRecord = Exclude<QueueRecord, { kind: "delete" }>;

function namesMarker(record: WriteRecord): boolean {
  const key = record.kind === "copy" ? record.to : record.key;
  return key.endsWith("/") || folderOfMarker(key, record.size) !== undefined;
}

/** Where the bytes are until the record is done. */
function placeOf(record: WriteRecord): Pick<NamespaceEntry, "staged" | "key" | "etag"> {
  if (record.kind === "put") return { staged: record.staged };
  const { etag } = record;
  return record.kind === "copy" ? { key: record.from, etag } : { etag };
}

/** A directory, symlink or special file that local attributes brought back, and whose object is on its way. */
function recoverObject(
  namespace: Namespace,
  { parent, name, entry }: Located,
  record: WriteRecord,
): void {
  if (isDirectory(entry) !== namesMarker(record)) return;
  const marker = isDirectory(entry) ? { marker: true } : {};
  const placed = { ...entry, ...placeOf(record), ...marker };
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
