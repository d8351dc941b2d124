// Which ready operation starts when.
import { log } from "../log.ts";
import { begin, type Operation } from "./operation.ts";
import { ReadyHeap } from "./ready-heap.ts";

export interface SchedulerHost {
  /** How many may be under way, if fewer than otherwise. */
  limit(): number;
  /** Whether an attempt at it failed before. */
  hasFailed(operation: Operation): boolean;
  /** Whether what was not tried yet comes first: others have told all that they can. */
  prefersUntried(): boolean;
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

/** Somebody adds to the queue, one call after the other, who waits longer the more this process has to do beside. */
const BUSY_MS = 30;
/** Copies and deletes under way meanwhile: enough for some hundred a second. */
const FEW_LIGHT = 4;
/** After so long the queue is worked off whoever waits. */
const LONGEST_YIELD_MS = 2000;

/** Places that an operation takes: copies and deletes move no bytes over this host's network. */
function placesFor({ record }: Operation): number {
  return record.kind === "put" ? 2 : 1;
}

function isLight(operation: Operation): boolean {
  return operation.record.kind !== "put";
}

/**
 * At most `concurrency` uploads, or twice as many copies and deletes, run, smallest seq first. While callers come one
 * after the other, few copies and deletes do, since each takes as much of this thread as the call that made it: `rm -rf`
 * of 1,000 files took twice as long. While one is prepared it can still be cancelled; when its readers are done it starts
 * at once, even above the limit, because new readers may come.
 */
export class QueueScheduler {
  readonly #concurrency: number;
  readonly #host: SchedulerHost;
  readonly #untried = new ReadyHeap();
  readonly #failed = new ReadyHeap();
  readonly #preparing = new Set<Operation>();
  readonly #running = new Map<Operation, Promise<void>>();
  /** Copies and deletes that are ready and give way to callers. */
  readonly #yielding = new ReadyHeap();
  #light = 0;
  /** When the newest operation was made, and the first that gave way, in ms since the epoch. */
  #newestMs = 0;
  #yieldedMs: number | undefined;
  #quiet: NodeJS.Timeout | undefined;
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
    this.#newestMs = Math.max(this.#newestMs, operation.since);
    this.#push(operation);
  }

  /** Starts what may start. */
  pump(): void {
    this.#endYield();
    while (this.#open) {
      const operation = this.#next();
      if (operation === undefined) return;
      if (isLight(operation) && this.#light >= FEW_LIGHT && this.#isYielding) {
        this.#yield(operation);
        continue;
      }
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
    this.#yielding.clear();
    clearTimeout(this.#quiet);
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
    const light = isLight(operation) ? 1 : 0;
    let isTaken = true;
    this.#taken += places;
    this.#light += light;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#taken -= places;
      this.#light -= light;
    };
  }

  /** Whether copies and deletes give way to callers. */
  get #isYielding(): boolean {
    const now = Date.now();
    if (now - this.#newestMs >= BUSY_MS) return false;
    return this.#yieldedMs === undefined || now - this.#yieldedMs < LONGEST_YIELD_MS;
  }

  #yield(operation: Operation): void {
    this.#yieldedMs ??= Date.now();
    this.#yielding.push(operation);
    this.#lookAgain();
  }

  #lookAgain(): void {
    this.#quiet ??= setTimeout(() => {
      this.#quiet = undefined;
      this.pump();
      if (this.#yielding.size > 0) this.#lookAgain();
    }, BUSY_MS);
  }

  /** Brings back what gave way: as many as may start now. */
  #endYield(): void {
    let room = this.#isYielding ? FEW_LIGHT - this.#light : Infinity;
    for (; room > 0; room -= 1) {
      const operation = this.#yielding.pop();
      if (operation === undefined) break;
      this.#push(operation);
    }
    if (Date.now() - this.#newestMs >= BUSY_MS) this.#yieldedMs = undefined;
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
