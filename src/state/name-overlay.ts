// The overlay of names, grouped by directory, so that children() sees one directory's changes only.
import { compareBytewise } from "../posix/byte-order.ts";
import type { NamespaceEntry, NameChange } from "./namespace-entry.ts";
import { Overlay, type OverlayCell } from "./overlay.ts";

/** One pending change of a name. */
export interface NameCell {
  readonly parent: number;
  readonly cell: OverlayCell<string, NamespaceEntry>;
}

/** Names that are not in the index database yet. */
export class NameOverlay {
  private readonly directories = new Map<number, Overlay<string, NamespaceEntry>>();

  get(parent: number, name: string): OverlayCell<string, NamespaceEntry> | undefined {
    return this.directories.get(parent)?.get(name);
  }

  set(change: NameChange): NameCell {
    let directory = this.directories.get(change.parent);
    if (directory === undefined) {
      directory = new Overlay();
      this.directories.set(change.parent, directory);
    }
    return { parent: change.parent, cell: directory.set(change.name, change.entry) };
  }

  settle({ parent, cell }: NameCell): void {
    const directory = this.directories.get(parent);
    directory?.settle(cell);
    if (directory?.size === 0) this.directories.delete(parent);
  }

  undo({ parent, cell }: NameCell): void {
    const directory = this.directories.get(parent);
    directory?.undo(cell);
    if (directory?.size === 0) this.directories.delete(parent);
  }

  /** Pending changes of a directory's children behind the name `after`, in bytewise order, as of now. */
  sorted(parent: number, after?: string): OverlayCell<string, NamespaceEntry>[] {
    const directory = this.directories.get(parent);
    if (directory === undefined) return [];
    const cells = [...directory.values()];
    const wanted =
      after === undefined ? cells : cells.filter(({ key }) => compareBytewise(key, after) > 0);
    return wanted.sort((a, b) => compareBytewise(a.key, b.key));
  }
}
