// Staged files that are still open for writing: their uploads wait.
import type { Operation } from "./operation.ts";

/** Counts per staged file, with what waits for the count to reach zero. */
export class Holds {
  readonly #counts = new Map<string, number>();
  readonly #parked = new Map<string, Set<Operation>>();
  /** Files that lost their last record while held. */
  readonly #leftovers = new Set<string>();

  hold(staged: string): void {
    this.#counts.set(staged, (this.#counts.get(staged) ?? 0) + 1);
  }

  /** Undefined while other holds are left; else the operations that may start, and whether the file is a leftover. */
  unhold(staged: string): { operations: Iterable<Operation>; isLeftover: boolean } | undefined {
    const left = (this.#counts.get(staged) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(staged, left);
      return undefined;
    }
    this.#counts.delete(staged);
    const operations = this.#parked.get(staged) ?? [];
    this.#parked.delete(staged);
    return { operations, isLeftover: this.#leftovers.delete(staged) };
  }

  isHeld(staged: string): boolean {
    return this.#counts.has(staged);
  }

  /** The operation would run but for the hold. */
  park(staged: string, operation: Operation): void {
    const parked = this.#parked.get(staged) ?? new Set();
    this.#parked.set(staged, parked.add(operation));
  }

  unpark(staged: string, operation: Operation): void {
    this.#parked.get(staged)?.delete(operation);
  }

  /** No record refers to the held file any more; its writer may still plan with it. */
  leaveOver(staged: string): void {
    this.#leftovers.add(staged);
  }
}
