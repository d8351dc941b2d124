import type { MaybePromise } from "../../fs/file-system.ts";
import { FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import type { NativeAdapter } from "./adapter.ts";
import { type Answer, DONE, type Operation, operation } from "./operation.ts";
import { existing, fresh, isDoubtful, isHidden } from "./paths.ts";

/**
 * libfuse removes the name of an open file by a rename to a name of its own, since it finds open files by path. The core
 * can do without: the file is unlinked, and its handles answer for the name that libfuse has for it.
 */
function hide(adapter: NativeAdapter, path: string, hidden: string): MaybePromise<Answer> {
  return andThen(adapter.fileSystem.unlink(existing(path), adapter.context), () => {
    adapter.files.move(path, hidden);
    return DONE;
  });
}

function rename(adapter: NativeAdapter, from: string, to: string): MaybePromise<Answer> {
  if (isHidden(to) && adapter.files.at(from) !== undefined) return hide(adapter, from, to);
  const { fileSystem, context } = adapter;
  return andThen(fileSystem.rename(existing(from), fresh(to), 0, context), () => {
    adapter.files.move(from, to);
    return DONE;
  });
}

function symlink(adapter: NativeAdapter, target: string, path: string): MaybePromise<Answer> {
  if (isDoubtful(target)) throw new FsError("EILSEQ", "Cannot use a target that is not UTF-8");
  return andThen(adapter.fileSystem.symlink(fresh(path), target, adapter.context), () => DONE);
}

/** Making, removing and moving names. */
export const nameOperations: readonly Operation[] = [
  operation<[string, number]>({
    name: "mkdir",
    handle: (adapter, path, mode) =>
      andThen(adapter.fileSystem.mkdir(fresh(path), mode & 0o7777, adapter.context), () => DONE),
  }),
  operation<[string, number, number]>({
    name: "mknod",
    handle: (adapter, path, mode, rdev) =>
      andThen(adapter.fileSystem.mknod(fresh(path), mode, rdev, adapter.context), () => DONE),
  }),
  operation({ name: "symlink", handle: symlink }),
  operation<[string, string]>({
    name: "link",
    handle() {
      // one key, one name: an object cannot have two
      throw new FsError("EPERM", "Cannot make a hard link");
    },
  }),
  operation<[string]>({
    name: "unlink",
    handle: (adapter, path) =>
      // the last close of an unlinked file: it has no name any more
      isHidden(path)
        ? DONE
        : andThen(adapter.fileSystem.unlink(existing(path), adapter.context), () => DONE),
  }),
  operation<[string]>({
    name: "rmdir",
    handle: (adapter, path) =>
      andThen(adapter.fileSystem.rmdir(existing(path), adapter.context), () => DONE),
  }),
  operation({ name: "rename", handle: rename }),
];
