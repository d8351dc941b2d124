// Which ready operation starts when.
import { log } from "../log.ts";
import { begin, type Operation } from "./operation.ts";
import { ReadyHeap } from "./ready-heap.ts";

export interface SchedulerHost {
  /** How many may be under way, if fewer than otherwise. */
  limit(): number;
  /** Whether nothing speaks against starting it now. */
  mayStart(operation: Operation): boolean;
  /** Resolves when readers no longer need what the operation replaces; undefined: it replaces nothing. */
  prepare(operation: Operation): Promise<void> | undefined;
  /** Runs it to its end or to its next failure. */
  run(operation: Operation): Promise<void>;
}

/** A prepare() that takes longer gives its turn to others. */
const PATIENT_READER_MS = 50;

/**
 * At most `concurrency` operations run, smallest seq first. While one is prepared it can still be cancelled; when its
 * readers are done it starts at once, even above the limit, because new readers may come.
 */
export class QueueScheduler {
  readonly #concurrency: number;
  readonly #host: SchedulerHost;
  readonly #ready = new ReadyHeap();
  readonly #preparing = new Set<Operation>();
  readonly #running = new Map<Operation, Promise<void>>();
  #slots = 0;
  #open = false;

  constructor(concurrency: number, host: SchedulerHost) {
    this.#concurrency = concurrency;
    this.#host = host;
  }

  /** Operations under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Something about the operation changed: it may be ready. */
  offer(operation: Operation): void {
    this.#ready.push(operation);
  }

  /** Starts what may start. */
  pump(): void {
    while (this.#open && this.#slots < Math.min(this.#concurrency, this.#host.limit())) {
      const operation = this.#ready.pop();
      if (operation === undefined) return;
      if (!this.#preparing.has(operation) && this.#host.mayStart(operation)) {
        this.#prepare(operation);
      }
    }
  }

  start(): void {
    this.#open = true;
    this.pump();
  }

  /** Starts nothing more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#open = false;
    await Promise.all(this.#running.values());
  }

  /** Runs an operation, without asking whether it may start. */
  run(operation: Operation, work: () => Promise<void>): void {
    begin(operation);
    this.#slots += 1;
    const tracked = work()
      .catch((error: unknown) => log.error("Upload queue: %s", error))
      .finally(() => {
        this.#running.delete(operation);
        this.#slots -= 1;
        this.pump();
      });
    this.#running.set(operation, tracked);
  }

  #prepare(operation: Operation): void {
    const prepared = this.#host.prepare(operation);
    if (prepared === undefined) {
      this.run(operation, () => this.#host.run(operation));
      return;
    }
    this.#preparing.add(operation);
    this.#slots += 1;
    let hasSlot = true;
    const giveSlot = (): void => {
      if (hasSlot) this.#slots -= 1;
      hasSlot = false;
    };
    const patience = setTimeout(() => {
      giveSlot();
      this.pump();
    }, PATIENT_READER_MS);
    const go = (): void => {
      clearTimeout(patience);
      giveSlot();
      this.#preparing.delete(operation);
      if (this.#open && this.#host.mayStart(operation)) {
        this.run(operation, () => this.#host.run(operation));
      }
      this.pump();
    };
    prepared.then(go, go);
  }
}
