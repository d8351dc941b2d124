// Which ready operation starts when.
import { log } from "../log.ts";
import { GiveWay } from "./give-way.ts";
import { begin, type Operation } from "./operation.ts";
import { ReadyHeap } from "./ready-heap.ts";

export interface SchedulerHost {
  /** How many may be under way, if fewer than otherwise. */
  limit(): number;
  /** Whether an attempt at it failed before. */
  hasFailed(operation: Operation): boolean;
  /** Whether what was not tried yet comes first: others have told all that they can. */
  prefersUntried(): boolean;
  /** Whether anyone waits for work of the queue to be done. */
  isAwaited(): boolean;
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
 * At most `concurrency` uploads, or twice as many copies and deletes, run, smallest seq first; fewer while they give way to
 * callers. While one is prepared it can still be cancelled; when its readers are done it starts at once, even above the
 * limit, because new readers may come.
 */
export class QueueScheduler {
  readonly #concurrency: number;
  readonly #host: SchedulerHost;
  readonly #untried = new ReadyHeap();
  readonly #failed = new ReadyHeap();
  readonly #preparing = new Set<Operation>();
  readonly #running = new Map<Operation, Promise<void>>();
  readonly #giveWay: GiveWay;
  /** Places taken, of twice the concurrency. */
  #taken = 0;
  #ending = 0;
  #open = false;

  constructor(concurrency: number, host: SchedulerHost) {
    this.#concurrency = concurrency;
    this.#host = host;
    this.#giveWay = new GiveWay({
      isAwaited: () => host.isAwaited(),
      wake: () => this.pump(),
    });
  }

  /** Operations under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Something about the operation changed: it may be ready. */
  offer(operation: Operation): void {
    this.#giveWay.made(operation);
    this.#push(operation);
  }

  /** Starts what may start. */
  pump(): void {
    for (const operation of this.#giveWay.released()) this.#push(operation);
    while (this.#open) {
      const operation = this.#next();
      if (operation === undefined) return;
      if (this.#giveWay.delays(operation)) continue;
      const places = 2 * Math.min(this.#concurrency, this.#host.limit());
      if (this.#taken + placesFor(operation) > places) {
        this.#push(operation);
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
    this.#giveWay.stop();
    await Promise.all(this.#running.values());
  }

  /** Runs an operation, without asking whether it may start. */
  run(operation: Operation, work: (free: () => void) => Promise<void>): void {
    begin(operation);
    const give = this.#take(operation);
    let isEnding = false;
    const free = (): void => {
      if (isEnding || this.#ending >= MOST_ENDING) return;
      isEnding = true;
      this.#ending += 1;
      give();
      this.pump();
    };
    const tracked = work(free)
      .catch((error: unknown) => log.error("Upload queue: %s", error))
      .finally(() => {
        this.#running.delete(operation);
        if (isEnding) this.#ending -= 1;
        give();
        this.pump();
      });
    this.#running.set(operation, tracked);
  }

  /** Takes the operation's places; returns what gives them back, once. */
  #take(operation: Operation): () => void {
    const places = placesFor(operation);
    const end = this.#giveWay.start(operation);
    let isTaken = true;
    this.#taken += places;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#taken -= places;
      end();
    };
  }

  #push(operation: Operation): void {
    (this.#host.hasFailed(operation) ? this.#failed : this.#untried).push(operation);
  }

  /** Takes the operation that comes first. */
  #next(): Operation | undefined {
    const failed = this.#failed.first;
    const untried = this.#untried.first;
    if (failed === undefined || untried === undefined) {
      return this.#untried.pop() ?? this.#failed.pop();
    }
    const isUntried = this.#host.prefersUntried() || untried.seq < failed.seq;
    return isUntried ? this.#untried.pop() : this.#failed.pop();
  }

  #prepare(operation: Operation): void {
    const prepared = this.#host.prepare(operation);
    if (prepared === undefined) {
      this.run(operation, (free) => this.#host.run(operation, free));
      return;
    }
    this.#preparing.add(operation);
    const give = this.#take(operation);
    const patience = setTimeout(() => {
      give();
      this.pump();
    }, PATIENT_READER_MS);
    const go = (): void => {
      clearTimeout(patience);
      give();
      this.#preparing.delete(operation);
      if (this.#open && this.#host.mayStart(operation)) {
        this.run(operation, (free) => this.#host.run(operation, free));
      }
      this.pump();
    };
    prepared.then(go, go);
  }
}
