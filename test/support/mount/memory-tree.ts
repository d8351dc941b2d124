import { FsError } from "../../../src/posix/errno.ts";
import { checkName, splitPath } from "../../../src/posix/path.ts";
import { isDirectory } from "../../../src/posix/stat.ts";
import type { MemoryInode } from "./memory-inode.ts";

/** The inode at `path`; ENOENT, ENOTDIR or ENAMETOOLONG. */
export function findInode(root: MemoryInode, path: string): MemoryInode {
  let inode = root;
  for (const name of splitPath(path)) {
    checkName(name);
    if (!isDirectory(inode)) throw new FsError("ENOTDIR", `Cannot find "${path}"`);
    const child = inode.children.get(name);
    if (child === undefined) throw new FsError("ENOENT", `Cannot find "${path}"`);
    inode = child;
  }
  return inode;
}

/** The directory that holds `inode`, at or below `directory`. */
export function parentOf(inode: MemoryInode, directory: MemoryInode): MemoryInode | undefined {
  for (const child of directory.children.values()) {
    if (child === inode) return directory;
    const below = parentOf(inode, child);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** Throws what rename(2) says when `source` may not take the place of `target`. */
export function checkReplace(source: MemoryInode, target: MemoryInode, to: string): void {
  if (isDirectory(source) && !isDirectory(target)) {
    throw new FsError("ENOTDIR", `Cannot replace "${to}"`);
  }
  if (!isDirectory(source) && isDirectory(target)) {
    throw new FsError("EISDIR", `Cannot replace "${to}"`);
  }
  if (target.children.size > 0) throw new FsError("ENOTEMPTY", `Cannot replace "${to}"`);
}
