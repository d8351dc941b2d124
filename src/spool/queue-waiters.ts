// Callers who wait for the queue: for one key, for a prefix, for a key to be quiet.
import { FsError } from "../posix/errno.ts";
import { keysOf, type Operation } from "./operation.ts";

interface KeyWaiter {
  /** The operation that is waited for; a newer one when that was replaced. */
  operation: Operation;
  readonly timer: NodeJS.Timeout;
  resolve(): void;
  reject(error: FsError): void;
}

interface DrainWaiter {
  readonly left: Set<Operation>;
  resolve(): void;
  reject(error: FsError): void;
}

/** Operations leave in lane order, so the end of one means the end of all before it on the same key. */
export class QueueWaiters {
  readonly #byKey = new Map<string, Set<KeyWaiter>>();
  readonly #drains = new Set<DrainWaiter>();
  readonly #idle = new Map<string, (() => void)[]>();
  readonly #patienceMs: number;
  readonly #failure: (operation: Operation) => string | undefined;

  /** `failure` tells why an operation is not done yet, if it failed at least once. */
  constructor(patienceMs: number, failure: (operation: Operation) => string | undefined) {
    this.#patienceMs = patienceMs;
    this.#failure = failure;
  }

  /** Whether anyone waits for work to be done. */
  get any(): boolean {
    return this.#byKey.size > 0 || this.#drains.size > 0 || this.#idle.size > 0;
  }

  settled(key: string, operation: Operation): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = this.#byKey.get(key) ?? new Set();
      this.#byKey.set(key, waiters);
      // nothing may have been tried on this key: all slots are taken by what fails
      const timer = setInterval(() => {
        const reason = this.#failure(waiter.operation);
        if (reason === undefined) return;
        this.#drop(key, waiter);
        reject(new FsError("EIO", `Cannot finish the work on "${key}" for now: ${reason}`));
      }, this.#patienceMs);
      timer.unref();
      const waiter: KeyWaiter = { operation, timer, resolve, reject };
      waiters.add(waiter);
    });
  }

  /** Whether someone waits for this operation or for a later one on its keys. */
  isAwaited(operation: Operation): boolean {
    return keysOf(operation.record).some((key) =>
      [...(this.#byKey.get(key) ?? [])].some((waiter) => waiter.operation.seq >= operation.seq),
    );
  }

  drained(operations: Iterable<Operation>): Promise<void> {
    const left = new Set(operations);
    if (left.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#drains.add({ left, resolve, reject });
    });
  }

  idle(key: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#idle.get(key);
      if (waiting === undefined) this.#idle.set(key, [resolve]);
      else waiting.push(resolve);
    });
  }

  /** Nothing on `key` is running. */
  quiet(key: string): void {
    const waiting = this.#idle.get(key);
    this.#idle.delete(key);
    for (const resolve of waiting ?? []) resolve();
  }

  /** An operation left the queue; `successor`: what now comes after it on a key, if it was cancelled. */
  left(operation: Operation, successor: (key: string) => Operation | undefined): void {
    const successors = new Set<Operation>();
    for (const key of keysOf(operation.record)) {
      const next = successor(key);
      if (next !== undefined) successors.add(next);
      for (const waiter of this.#byKey.get(key) ?? []) {
        if (waiter.operation !== operation) continue;
        if (next !== undefined) {
          waiter.operation = next;
        } else {
          this.#drop(key, waiter);
          waiter.resolve();
        }
      }
    }
    for (const drain of this.#drains) {
      if (!drain.left.delete(operation)) continue;
      for (const next of successors) drain.left.add(next);
      if (drain.left.size > 0) continue;
      this.#drains.delete(drain);
      drain.resolve();
    }
  }

  /** An attempt failed: who waits for that operation, or for one behind it, hears of it. */
  failed(operation: Operation, error: FsError): void {
    for (const key of keysOf(operation.record)) {
      for (const waiter of this.#byKey.get(key) ?? []) {
        if (waiter.operation.seq < operation.seq) continue;
        this.#drop(key, waiter);
        waiter.reject(error);
      }
    }
  }

  /** The queue stops: nothing more will happen. */
  stop(): void {
    const error = new FsError("EINTR", "The upload queue was stopped");
    for (const [key, waiters] of this.#byKey) {
      for (const waiter of waiters) {
        this.#drop(key, waiter);
        waiter.reject(error);
      }
    }
    for (const drain of this.#drains) drain.reject(error);
    this.#drains.clear();
    for (const key of this.#idle.keys()) this.quiet(key);
  }

  #drop(key: string, waiter: KeyWaiter): void {
    clearInterval(waiter.timer);
    const waiters = this.#byKey.get(key);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#byKey.delete(key);
  }
}
