// Values that are not in the database yet, by key, with what it takes to undo one of several changes of a key.

/** One change of one key, the newest first: `below` is the change that it covers, if that is still in memory. */
export interface OverlayCell<K, V> {
  readonly key: K;
  /** Undefined: removed. */
  readonly value: V | undefined;
  below: OverlayCell<K, V> | undefined;
}

/**
 * A map of pending changes in front of a database. Changes leave it by `settle` (now in the database) in the order in
 * which they were made, or by `undo` in any order.
 */
export class Overlay<K, V> {
  private readonly newest = new Map<K, OverlayCell<K, V>>();

  get size(): number {
    return this.newest.size;
  }

  /** The newest change of a key; undefined when the database is right. */
  get(key: K): OverlayCell<K, V> | undefined {
    return this.newest.get(key);
  }

  values(): IterableIterator<OverlayCell<K, V>> {
    return this.newest.values();
  }

  set(key: K, value: V | undefined): OverlayCell<K, V> {
    const cell: OverlayCell<K, V> = { key, value, below: this.newest.get(key) };
    this.newest.set(key, cell);
    return cell;
  }

  /** The database holds this change, or a newer one of the key. */
  settle(cell: OverlayCell<K, V>): void {
    cell.below = undefined;
    const newest = this.newest.get(cell.key);
    if (newest === cell) {
      this.newest.delete(cell.key);
      return;
    }
    const above = this.above(newest, cell);
    if (above !== undefined) above.below = undefined;
  }

  /** Takes a change back; a newer one of the same key stays. */
  undo(cell: OverlayCell<K, V>): void {
    const newest = this.newest.get(cell.key);
    if (newest === cell) {
      if (cell.below === undefined) this.newest.delete(cell.key);
      else this.newest.set(cell.key, cell.below);
      return;
    }
    const above = this.above(newest, cell);
    if (above !== undefined) above.below = cell.below;
  }

  private above(
    newest: OverlayCell<K, V> | undefined,
    cell: OverlayCell<K, V>,
  ): OverlayCell<K, V> | undefined {
    let above = newest;
    while (above !== undefined && above.below !== cell) above = above.below;
    return above;
  }
}
