// Staged files that are still open for writing: their uploads wait.
import type { ObjectVersion } from "../cache/block-cache.ts";
import type { Operation } from "./operation.ts";

/** What is free once the last hold is gone. */
export interface Freed {
  /** May start. */
  readonly operations: Iterable<Operation>;
  /** The file lost its last record while held: the object whose bytes it was then, if it was uploaded. */
  readonly leftover?: { readonly object: ObjectVersion | undefined };
}

/** Counts per staged file, with what waits for the count to reach zero. */
export class Holds {
  readonly #counts = new Map<string, number>();
  readonly #parked = new Map<string, Set<Operation>>();
  /** Files that lost their last record while held, and the object that they were uploaded as, if they were. */
  readonly #leftovers = new Map<string, ObjectVersion | undefined>();

  hold(staged: string): void {
    this.#counts.set(staged, (this.#counts.get(staged) ?? 0) + 1);
  }

  /** Undefined while other holds are left. */
  unhold(staged: string): Freed | undefined {
    const left = (this.#counts.get(staged) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(staged, left);
      return undefined;
    }
    this.#counts.delete(staged);
    const operations = this.#parked.get(staged) ?? [];
    this.#parked.delete(staged);
    if (!this.#leftovers.has(staged)) return { operations };
    const object = this.#leftovers.get(staged);
    this.#leftovers.delete(staged);
    return { operations, leftover: { object } };
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

  /** No record refers to the held file any more; its writer may still plan with it. `object`: what it was uploaded as. */
  leaveOver(staged: string, object?: ObjectVersion): void {
    this.#leftovers.set(staged, object);
  }
}
