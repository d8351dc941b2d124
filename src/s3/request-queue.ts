// How many requests run at once, and who waits for whom.

interface Waiter {
  readonly background: boolean;
  readonly start: () => void;
}

/**
 * First come, first served, except that requests someone waits for go ahead of background ones, and background ones
 * never take the last quarter of the slots. Not fair to background requests under constant foreground load: meant so.
 */
export class RequestQueue {
  readonly #limit: number;
  readonly #backgroundLimit: number;
  readonly #foreground: Waiter[] = [];
  readonly #background: Waiter[] = [];
  #running = 0;
  #runningInBackground = 0;

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
    this.#backgroundLimit = Math.max(1, this.#limit - Math.ceil(this.#limit / 4));
  }

  /** Requests running now. */
  get running(): number {
    return this.#running;
  }

  /** Resolves to the function that gives the slot back (callable more than once), or to undefined on abort. */
  async acquire(background: boolean, signal?: AbortSignal): Promise<(() => void) | undefined> {
    if (!this.#mayStart(background)) {
      const started = await this.#wait(background, signal);
      if (!started) return undefined;
    } else {
      this.#count(background, 1);
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#count(background, -1);
      this.#startNext();
    };
  }

  async #wait(background: boolean, signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted === true) return false;
    const queue = background ? this.#background : this.#foreground;
    return new Promise<boolean>((resolve) => {
      const abort = (): void => {
        queue.splice(queue.indexOf(waiter), 1);
        resolve(false);
      };
      const waiter: Waiter = {
        background,
        start: () => {
          signal?.removeEventListener("abort", abort);
          resolve(true);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      queue.push(waiter);
    });
  }

  #mayStart(background: boolean): boolean {
    if (this.#running >= this.#limit) return false;
    return !background || this.#runningInBackground < this.#backgroundLimit;
  }

  #count(background: boolean, change: 1 | -1): void {
    this.#running += change;
    if (background) this.#runningInBackground += change;
  }

  #startNext(): void {
    const queue = this.#foreground.length > 0 ? this.#foreground : this.#background;
    const [next] = queue;
    if (next === undefined || !this.#mayStart(next.background)) return;
    queue.shift();
    this.#count(next.background, 1);
    next.start();
  }
}
