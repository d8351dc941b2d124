// Long work on the thread that serves the mount, in pieces between which everyone else has a turn: one piece in each turn
// of the event loop, since a close(2) takes several.

/** Longest piece: with what else happens in one turn of the event loop, a close(2) of several turns stays below 20 ms. */
const SLICE_MS = 2;
/** One works and one is ready to go on. */
const ENOUGH_WORKERS = 3;

/** One worker at a time holds the slices; it calls pause() often, and waits when it gets a promise. */
export class TimeSlices {
  #until = 0;
  #last: Promise<void> = Promise.resolve();
  #workers = 0;
  #room: (() => void)[] = [];
  readonly #turns: (() => void)[] = [];

  /** Runs `work` once all that came before is done; a failure is its caller's. */
  async exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.#workers += 1;
    const before = this.#last;
    let done: () => void = () => undefined;
    this.#last = new Promise<void>((resolve) => (done = resolve));
    await before;
    try {
      return await work();
    } finally {
      done();
      this.#workers -= 1;
      for (const resolve of this.#room.splice(0)) resolve();
    }
  }

  /** Resolves when few wait to work exclusively, so that what they will work on need not lie in memory for long. */
  async room(): Promise<void> {
    while (this.#workers >= ENOUGH_WORKERS) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
  }

  /** Undefined while the slice lasts, else what resolves with the next one. */
  pause(): Promise<void> | undefined {
    return performance.now() < this.#until ? undefined : this.turn();
  }

  /** Resolves in a turn of the event loop in which nobody else has a slice; first come, first served. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#turns.push(resolve);
      if (this.#turns.length === 1) setImmediate(this.#next);
    });
  }

  readonly #next = (): void => {
    this.#until = performance.now() + SLICE_MS;
    this.#turns.shift()?.();
    if (this.#turns.length > 0) setImmediate(this.#next);
  };
}
