// Operations that may start, smallest seq first.
import type { Operation } from "./operation.ts";

/** A binary heap; an operation may be in it twice or no longer be ready: whoever takes it checks. */
export class ReadyHeap {
  readonly #heap: Operation[] = [];

  get size(): number {
    return this.#heap.length;
  }

  clear(): void {
    this.#heap.length = 0;
  }

  push(operation: Operation): void {
    const heap = this.#heap;
    let at = heap.push(operation) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.seq <= operation.seq) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = operation;
  }

  /** What pop() would return. */
  get first(): Operation | undefined {
    return this.#heap[0];
  }

  pop(): Operation | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const below = this.#smallerChild(at);
      const child = heap[below];
      if (child === undefined || child.seq >= last.seq) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return first;
  }

  #smallerChild(at: number): number {
    const left = 2 * at + 1;
    const leftSeq = this.#heap[left]?.seq ?? Infinity;
    return (this.#heap[left + 1]?.seq ?? Infinity) < leftSeq ? left + 1 : left;
  }
}
