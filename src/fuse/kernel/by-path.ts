import type { MaybePromise } from "../../fs/file-system.ts";
import { Errno, FsError } from "../../posix/errno.ts";
import type { Adapter } from "./adapter.ts";
import type { Node } from "./node.ts";

/**
 * Calls the core with the path of `node`, or of `name` in it. The core may have moved a directory above it while the
 * answer to that RENAME is still to come here: then it says ENOENT, and the call is made again by the new path.
 */
export function byPath<T>(
  adapter: Adapter,
  node: Node,
  name: string | undefined,
  call: (path: string) => MaybePromise<T>,
): MaybePromise<T> {
  const pathNow = (): string =>
    name === undefined ? adapter.nodes.path(node) : adapter.nodes.childPath(node, name);
  const path = pathNow();
  const again = async (error: unknown): Promise<T> => {
    if (!(error instanceof FsError) || error.errno !== Errno.ENOENT) throw error;
    await Promise.allSettled(adapter.renames);
    if (pathNow() === path) throw error;
    return call(pathNow());
  };
  let result: MaybePromise<T>;
  try {
    result = call(path);
  } catch (error) {
    if (adapter.renames.size === 0) throw error;
    return again(error);
  }
  return result instanceof Promise ? result.catch(again) : result;
}
