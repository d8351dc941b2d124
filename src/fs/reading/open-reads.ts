// Read-only handles by the ino they were opened on: their attributes must outlive the name.
import { nowNs } from "../../posix/stat.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { applyChanges } from "../namespace/attribute-changes.ts";
import { entryOf, statOf } from "../namespace/entries.ts";
import type { AttributeChanges, Entry } from "../file-system.ts";
import { unlinkedStat } from "./object-handle.ts";
import type { ReadOnlyHost } from "./read-only-handle.ts";

interface OpenRead {
  entry: NamespaceEntry;
  unlinked: boolean;
}

export class OpenReads {
  readonly #byIno = new Map<number, Set<OpenRead>>();

  /** Registers a handle on `entry`; `keep` makes its changes those of the name, `onRelease` runs once when it is released. */
  host(
    entry: NamespaceEntry,
    keep: (changes: AttributeChanges) => Promise<void>,
    onRelease: () => void,
  ): ReadOnlyHost {
    const open: OpenRead = { entry, unlinked: false };
    const handles = this.#byIno.get(entry.ino) ?? new Set();
    handles.add(open);
    this.#byIno.set(entry.ino, handles);
    return {
      entry: () => show(open),
      setattr: async (changes) => {
        open.entry = applyChanges(open.entry, changes);
        if (!open.unlinked) await keep(changes);
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
