// setattr(2)-like changes on an entry, with the set-id rules that the kernel leaves to the file system.
import { FileType, nowNs, type Nanoseconds, withoutPrivileges } from "../../posix/stat.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { AttributeChanges } from "../file-system.ts";

/** The entry with mode, owner and times changed; ctime is now. Size is not its business. */
export function applyChanges(entry: NamespaceEntry, changes: AttributeChanges): NamespaceEntry {
  const now = nowNs();
  const at = (time: Nanoseconds | "now" | undefined, old: Nanoseconds): Nanoseconds =>
    time === undefined ? old : time === "now" ? now : time;
  const type = entry.mode & FileType.mask;
  let mode = changes.mode === undefined ? entry.mode : type | (changes.mode & 0o7777);
  if (changes.killPrivileges && type === FileType.file) mode = withoutPrivileges(mode);
  return {
    ...entry,
    mode,
    uid: changes.uid ?? entry.uid,
    gid: changes.gid ?? entry.gid,
    atime: at(changes.atime, entry.atime),
    mtime: at(changes.mtime, entry.mtime),
    ctime: now,
    ...(isLasting(changes) ? { attributed: true } : {}),
  };
}

/** Whether the changes are worth remembering beyond the index. */
function isLasting(changes: AttributeChanges): boolean {
  const { mode, uid, gid, atime, mtime } = changes;
  return [mode, uid, gid, atime, mtime].some((change) => change !== undefined);
}
