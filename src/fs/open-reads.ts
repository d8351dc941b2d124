// Read-only handles by the ino they were opened on: their attributes must outlive the name.
import { nowNs } from "../posix/stat.ts";
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import { applyChanges } from "./attribute-changes.ts";
import { entryOf, statOf } from "./entries.ts";
import type { Entry } from "./file-system.ts";
import { type ReadOnlyHost, unlinkedStat } from "./object-handle.ts";

interface OpenRead {
  entry: NamespaceEntry;
  unlinked: boolean;
}

export class OpenReads {
  readonly #byIno = new Map<number, Set<OpenRead>>();

  /** Registers a handle on `entry`; `onRelease` runs once when it is released. */
  host(entry: NamespaceEntry, onRelease: () => void): ReadOnlyHost {
    const open: OpenRead = { entry, unlinked: false };
    const handles = this.#byIno.get(entry.ino) ?? new Set();
    handles.add(open);
    this.#byIno.set(entry.ino, handles);
    return {
      entry: () => show(open),
      setattr: (changes) => {
        open.entry = applyChanges(open.entry, changes);
        return show(open);
      },
      release: () => {
        handles.delete(open);
        if (handles.size === 0 && this.#byIno.get(entry.ino) === handles)
          this.#byIno.delete(entry.ino);
        onRelease();
      },
    };
  }

  unlinked(ino: number): void {
    for (const open of this.#byIno.get(ino) ?? []) {
      open.unlinked = true;
      open.entry = { ...open.entry, ctime: nowNs() };
    }
  }
}

function show(open: OpenRead): Entry {
  if (open.unlinked) return { stat: unlinkedStat(statOf(open.entry)), validMs: 0 };
  return entryOf(open.entry);
}
