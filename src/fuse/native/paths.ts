// fuse-native decodes names as UTF-8 and puts U+FFFD where they are not: two names would become one.
import { FsError } from "../../posix/errno.ts";
import { baseName } from "../../posix/path.ts";

/** Whether `text` may stand for bytes that are not UTF-8. */
export function isDoubtful(text: string): boolean {
  return text.includes("\uFFFD");
}

/** Whether libfuse made this name for a file that was unlinked while it is open (lib/fuse.c, hidden_name). */
export function isHidden(path: string): boolean {
  return /^\.fuse_hidden[0-9a-f]{16}$/.test(baseName(path));
}

/** The path of something that should be there; ENOENT where it cannot be. */
export function existing(path: string): string {
  if (isDoubtful(path) || isHidden(path)) throw new FsError("ENOENT", "Cannot find that name");
  return path;
}

/** The path of a name to make; EILSEQ and EPERM for those that this adapter cannot tell apart or needs itself. */
export function fresh(path: string): string {
  if (isDoubtful(path)) throw new FsError("EILSEQ", "Cannot use a name that is not UTF-8");
  if (isHidden(path)) throw new FsError("EPERM", "Cannot use a name that libfuse needs itself");
  return path;
}
