/** Work that is done one after the other for each key, and side by side for different ones. */
export class SerialQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does the work when what came before with the same key has ended, however it ended; resolves as the work does. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(work, work);
    const settled = result.catch(() => undefined);
    this.#last.set(key, settled);
    try {
      return await result;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }
}
