// Bytes that wait for the disk are memory: beyond a bound the cache drops instead of growing.

/** Counts bytes in flight against a limit. */
export class WriteBudget {
  private readonly limitBytes: number;
  private inFlight = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** Whether `bytes` more fit; they count then. */
  take(bytes: number): boolean {
    if (this.inFlight + bytes > this.limitBytes) return false;
    this.inFlight += bytes;
    return true;
  }

  /** Whether the disk keeps up: a slower one is left to the kernel, which has more memory for what waits. */
  get isRelaxed(): boolean {
    return this.inFlight <= this.limitBytes / 2;
  }

  give(bytes: number): void {
    this.inFlight -= bytes;
  }
}
