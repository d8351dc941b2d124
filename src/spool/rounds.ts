/** Lets work that ends at about the same time go on together. */
export class Rounds {
  readonly #periodMs: number;
  #next: Promise<void> | undefined;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  /** Resolves with the round that is open, at most one period from now. */
  next(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#next = undefined;
        resolve();
      }, this.#periodMs);
    });
    return this.#next;
  }
}
