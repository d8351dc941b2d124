import type { AttributeChanges, Entry, FileHandle, MaybePromise } from "../../fs/file-system.ts";
import { FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import type { NativeAdapter } from "./adapter.ts";
import { type Answer, DONE, type Operation, operation } from "./operation.ts";
import { existing, isHidden } from "./paths.ts";
import { joinDouble, statfsWords, statWords } from "./stat-words.ts";

const attributesOf = (entry: Entry): Answer => ({ result: 0, filled: [statWords(entry.stat)] });

function absent(): FsError {
  return new FsError("ENOENT", "Cannot find that name");
}

/** The open file behind a name that libfuse made. */
function hiddenFile(adapter: NativeAdapter, path: string): FileHandle {
  const handle = adapter.files.at(path);
  if (handle === undefined) throw absent();
  return handle;
}

function getattr(adapter: NativeAdapter, path: string): MaybePromise<Answer> {
  if (isHidden(path)) return attributesOf(hiddenFile(adapter, path).entry());
  const { fileSystem, context } = adapter;
  if (path === "/") return andThen(fileSystem.getattr(path, context), attributesOf);
  return andThen(fileSystem.lookup(existing(path), context), (entry) => {
    if (entry === undefined) throw absent();
    return attributesOf(entry);
  });
}

function setattr(
  adapter: NativeAdapter,
  path: string,
  changes: AttributeChanges,
): MaybePromise<Answer> {
  const { fileSystem, context } = adapter;
  const changed = isHidden(path)
    ? hiddenFile(adapter, path).setattr(changes, context)
    : fileSystem.setattr(existing(path), changes, context);
  return andThen(changed, () => DONE);
}

function sizeOf(low: number, high: number): number {
  const size = joinDouble(low, high);
  if (size > Number.MAX_SAFE_INTEGER) throw new FsError("EFBIG", "Cannot make a file that large");
  return size;
}

// chown(2) leaves alone what is -1
const NO_ID = 2 ** 32 - 1;

/** Everything that reads or changes attributes, but the times: see times.ts. */
export const attributeOperations: readonly Operation[] = [
  operation({ name: "getattr", handle: getattr }),
  operation<[string, number]>({
    name: "fgetattr",
    handle: (adapter, _path, fh) => attributesOf(adapter.files.get(fh).entry()),
  }),
  operation<[string, number]>({
    name: "chmod",
    handle: (adapter, path, mode) => setattr(adapter, path, { mode: mode & 0o7777 }),
  }),
  operation<[string, number, number]>({
    name: "chown",
    handle: (adapter, path, uid, gid) =>
      setattr(adapter, path, {
        ...(uid !== NO_ID && { uid }),
        ...(gid !== NO_ID && { gid }),
        killPrivileges: true,
      }),
  }),
  operation<[string, number, number]>({
    name: "truncate",
    handle: (adapter, path, low, high) => setattr(adapter, path, { size: sizeOf(low, high) }),
  }),
  operation<[string, number, number, number]>({
    name: "ftruncate",
    handle: (adapter, _path, fh, low, high) =>
      andThen(
        adapter.files.get(fh).setattr({ size: sizeOf(low, high) }, adapter.context),
        () => DONE,
      ),
  }),
  operation<[string, bigint, bigint]>({
    name: "utimens",
    handle: (adapter, path, atime, mtime) => setattr(adapter, path, { atime, mtime }),
  }),
  operation<[string]>({
    name: "readlink",
    handle: (adapter, path) =>
      andThen(adapter.fileSystem.readlink(existing(path), adapter.context), (target) => ({
        result: 0,
        filled: [target],
      })),
  }),
  operation<[string]>({
    name: "statfs",
    handle: (adapter) =>
      andThen(adapter.fileSystem.statfs(adapter.context), (statfs) => ({
        result: 0,
        filled: [statfsWords(statfs)],
      })),
  }),
];
