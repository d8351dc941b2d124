// Absolute paths in the mount: "/" is its root, components are joined by "/" and never empty, "." or "..".
import { FsError } from "./errno.ts";

/** NAME_MAX of Linux in bytes. */
export const NAME_MAX = 255;

/** The path of `name` in directory `parent`. */
export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** The components of an absolute path; none for "/". */
export function splitPath(path: string): string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}

export function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The last component; "" for "/". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether `path` is `ancestor` or lies below it. */
export function isBelowOrEqual(path: string, ancestor: string): boolean {
  return ancestor === "/" || path === ancestor || path.startsWith(`${ancestor}/`);
}

/** Rejects with ENAMETOOLONG a name over NAME_MAX bytes of UTF-8. */
export function checkName(name: string): void {
  // 85 UTF-16 units encode to at most 255 bytes
  if (name.length > 85 && Buffer.byteLength(name) > NAME_MAX) {
    throw new FsError("ENAMETOOLONG", `Cannot use a name of more than ${NAME_MAX} bytes`);
  }
}
