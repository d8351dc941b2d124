// The removed objects as callers see them: changes that are not durable yet, over the journal.
import { compareBytewise } from "../posix/byte-order.ts";
import { Overlay, type OverlayCell } from "./overlay.ts";
import {
  type RemovedChange,
  type RemovedObject,
  type RemovedObjects,
  sizeOfRemoved,
} from "./removed-object.ts";
import type { RemovedStore, RemovedWrite } from "./removed-store.ts";

/** A change that may still fail. */
export type RemovedCell = OverlayCell<string, RemovedObject>;

const FEW = 16;

export class RemovedOverlay implements RemovedObjects {
  readonly #store: RemovedStore;
  readonly #changes = new Overlay<string, RemovedObject>();
  #count: number;
  #bytes: number;

  constructor(store: RemovedStore) {
    this.#store = store;
    ({ count: this.#count, bytes: this.#bytes } = store.totals());
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): RemovedObject | undefined {
    const change = this.#changes.get(key);
    if (change !== undefined) return change.value;
    // most mounts have none, and this is asked for every name that is listed
    return this.#count === 0 && this.#changes.size === 0 ? undefined : this.#store.get(key);
  }

  anyBelow(prefix: string): boolean {
    if (this.#count === 0) return false;
    for (const { key, value } of this.#changes.values()) {
      if (value !== undefined && key.startsWith(prefix)) return true;
    }
    return this.list(prefix, "", 1).length > 0;
  }

  list(prefix: string, after: string, limit: number): readonly RemovedObject[] {
    if (this.#count === 0) return [];
    let from = after;
    for (;;) {
      const chunk = this.#store.list(prefix, from, Math.max(limit, FEW));
      const last = chunk.length < Math.max(limit, FEW) ? undefined : chunk.at(-1)?.key;
      const found = this.#merged(chunk, prefix, from, last);
      if (found.length > 0 || last === undefined) return found.slice(0, limit);
      from = last;
    }
  }

  earliest(limit: number): readonly RemovedObject[] {
    if (this.#count === 0) return [];
    const keys = this.#store.dueKeys(limit + this.#changes.size);
    return this.#byTime(keys).slice(0, limit);
  }

  latest(): RemovedObject | undefined {
    if (this.#count === 0) return undefined;
    return this.#byTime(this.#store.dueKeys(1 + this.#changes.size, true)).at(-1);
  }

  /** Seen at once; to be settled or undone when `write` is in the journal or not. */
  stage(changes: readonly RemovedChange[]): { cells: RemovedCell[]; write: RemovedWrite } {
    const cells: RemovedCell[] = [];
    const noted = changes.map(({ key, record }) => {
      const was = this.get(key);
      cells.push(this.#counted(key, () => this.#changes.set(key, record)));
      return { key, record, was };
    });
    const totals = { count: this.#count, bytes: this.#bytes };
    return { cells, write: { changes: noted, totals } };
  }

  /** The journal has it. */
  settle(cell: RemovedCell): void {
    this.#changes.settle(cell);
  }

  undo(cell: RemovedCell): void {
    this.#counted(cell.key, () => this.#changes.undo(cell));
  }

  /** Changes a key with the totals. */
  #counted<T>(key: string, change: () => T): T {
    const was = this.get(key);
    const result = change();
    const pending = this.#changes.get(key);
    const now = pending === undefined ? this.#store.get(key) : pending.value;
    this.#count += (now ? 1 : 0) - (was ? 1 : 0);
    this.#bytes += sizeOfRemoved(now) - sizeOfRemoved(was);
    return result;
  }

  /** What the journal has up to the key `last`, or with undefined all that is left, with the changes. */
  #merged(
    chunk: readonly RemovedObject[],
    prefix: string,
    after: string,
    last: string | undefined,
  ): RemovedObject[] {
    const found = chunk.filter(({ key }) => this.#changes.get(key) === undefined);
    for (const { key, value } of this.#changes.values()) {
      if (value === undefined || !key.startsWith(prefix)) continue;
      const isBehind = after === "" || compareBytewise(key, after) > 0;
      if (isBehind && (last === undefined || compareBytewise(key, last) <= 0)) found.push(value);
    }
    return found.toSorted((a, b) => compareBytewise(a.key, b.key));
  }

  #byTime(keys: readonly string[]): RemovedObject[] {
    const changed = [...this.#changes.values()].map(({ key }) => key);
    const found = [...new Set([...keys, ...changed])].flatMap((key) => this.get(key) ?? []);
    return found.toSorted((a, b) => a.notBefore - b.notBefore);
  }
}
