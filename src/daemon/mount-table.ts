import { FILE_SYSTEM_TYPE, type MountEntry } from "../posix/mount-table.ts";

export { findMount, readMountTable } from "../posix/mount-table.ts";
export type { MountEntry as MountTableEntry } from "../posix/mount-table.ts";

/** Whether an entry is one of ours. Some versions of mount(8) lose the subtype, then only the run-time record tells. */
export function isPailfs(entry: MountEntry): boolean {
  return entry.type === FILE_SYSTEM_TYPE;
}
