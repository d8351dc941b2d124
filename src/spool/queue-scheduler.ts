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
  /** Runs it to its end or to its next failure; `free` gives its place to others while it waits for the journal. */
  run(operation: Operation, free: () => void): Promise<void>;
}

/** A prepare() that takes longer gives its turn to others. */
const PATIENT_READER_MS = 50;

/** Operations that are done in the bucket and wait for the journal: more of them hold up the rest. */
const MOST_ENDING = 256;

/** Places that an operation takes: copies and deletes move no bytes over this host's network. */
function placesFor({ record }: Operation): number {
  return record.kind === "put" ? 2 : 1;
}

/**
 * At most `concurrency` uploads, or twice as many copies and deletes, run, smallest seq first. While one is prepared it can still be cancelled; when its
 * readers are done it starts at once, even above the limit, because new readers may come.
 */
export class QueueScheduler {
  readonly #concurrency: number;
  readonly #host: SchedulerHost;
  readonly #ready = new ReadyHeap();
  readonly #preparing = new Set<Operation>();
  readonly #running = new Map<Operation, Promise<void>>();
  /** Places taken, of twice the concurrency. */
  #taken = 0;
  #ending = 0;
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
    while (this.#open) {
      const operation = this.#ready.pop();
      if (operation === undefined) return;
      const places = 2 * Math.min(this.#concurrency, this.#host.limit());
      if (this.#taken + placesFor(operation) > places) {
        this.#ready.push(operation);
        return;
      }
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
  run(operation: Operation, work: (free: () => void) => Promise<void>): void {
    begin(operation);
    const places = placesFor(operation);
    this.#taken += places;
    let isEnding = false;
    const free = (): void => {
      if (isEnding || this.#ending >= MOST_ENDING) return;
      isEnding = true;
      this.#ending += 1;
      this.#taken -= places;
      this.pump();
    };
    const tracked = work(free)
      .catch((error: unknown) => log.error("Upload queue: %s", error))
      .finally(() => {
        this.#running.delete(operation);
        if (isEnding) this.#ending -= 1;
        else this.#taken -= places;
        this.pump();
      });
    this.#running.set(operation, tracked);
  }

  #prepare(operation: Operation): void {
    const prepared = this.#host.prepare(operation);
    if (prepared === undefined) {
      this.run(operation, (free) => this.#host.run(operation, free));
      return;
    }
    this.#preparing.add(operation);
    const places = placesFor(operation);
    this.#taken += places;
    let hasPlace = true;
    const givePlace = (): void => {
      if (hasPlace) this.#taken -= places;
      hasPlace = false;
    };
    const patience = setTimeout(() => {
      givePlace();
      this.pump();
    }, PATIENT_READER_MS);
    const go = (): void => {
      clearTimeout(patience);
      givePlace();
      this.#preparing.delete(operation);
      if (this.#open && this.#host.mayStart(operation)) {
        this.run(operation, (free) => this.#host.run(operation, free));
      }
      this.pump();
    };
    prepared.then(go, go);
  }
}
