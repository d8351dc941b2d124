// Entries and attributes for tests of the state.
import type { MountState } from "../../../src/state/mount-state.ts";
import type { LocalAttributes, NamespaceEntry } from "../../../src/state/namespace-entry.ts";

export function fileEntry(fields: Partial<NamespaceEntry>): NamespaceEntry {
  return {
    ino: 2,
    generation: 1,
    mode: 0o100644,
    uid: 991,
    gid: 992,
    rdev: 0,
    size: 3,
    atime: 1_700_000_000_000_000_001n,
    mtime: 1_700_000_000_000_000_002n,
    ctime: 1_700_000_000_000_000_003n,
    until: 1_800_000_000_000,
    ...fields,
  };
}

export function directoryAttributes(uid: number): LocalAttributes {
  return { mode: 0o040700, uid, gid: 5 };
}

export function namesOf(state: MountState, parent: number): string[] {
  return [...state.children(parent)].map(([name]) => name);
}
