// Callers who come one after the other get the thread before the work that they leave to the queue.
import type { Operation } from "./operation.ts";
import { ReadyHeap } from "./ready-heap.ts";

export interface GiveWayHost {
  /** Whether anyone waits for work of the queue to be done. */
  isAwaited(): boolean;
  /** Some of what gave way may start. */
  wake(): void;
}

/** So many operations made within so long: somebody waits for each call, and longer the more this process has to do. */
const BUSY_CALLS = 3;
const BUSY_MS = 30;
/** After so long the queue is worked off whoever waits. */
const LONGEST_MS = 2000;

/** Operations of one kind. */
interface Lane {
  /** Most under way while callers come. */
  readonly few: number;
  running: number;
  /** As released() found it: in between, one answer for all, or later operations overtake earlier ones. */
  isHeldBack: boolean;
  readonly waiting: ReadyHeap;
}

/**
 * An upload takes as much of this thread as three closes, a delete as much as its unlink: eight writers closed half as many
 * files, and `rm -rf` of 1,000 took twice as long. So while callers come few operations run, enough to go on with.
 */
export class GiveWay {
  readonly #host: GiveWayHost;
  readonly #uploads: Lane = { few: 2, running: 0, isHeldBack: false, waiting: new ReadyHeap() };
  /** Copies and deletes. */
  readonly #others: Lane = { few: 4, running: 0, isHeldBack: false, waiting: new ReadyHeap() };
  /** When the last operations were made, newest last, in ms since the epoch. */
  readonly #made: number[] = [];
  #newestSeq = -1;
  /** When the first gave way. */
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(host: GiveWayHost) {
    this.#host = host;
  }

  /** Counts an operation that a caller made, once. */
  made({ seq, since }: Operation): void {
    if (seq <= this.#newestSeq) return;
    this.#newestSeq = seq;
    this.#made.push(since);
    if (this.#made.length > BUSY_CALLS) this.#made.shift();
  }

  /** Whether the operation has to wait, as things were at the last released(); it is kept then. */
  delays(operation: Operation): boolean {
    const lane = this.#laneOf(operation);
    if (lane.running < lane.few || !lane.isHeldBack) return false;
    this.#sinceMs ??= Date.now();
    lane.waiting.push(operation);
    this.#lookAgain();
    return true;
  }

  /** The operation is under way until the returned function is called. */
  start(operation: Operation): () => void {
    const lane = this.#laneOf(operation);
    lane.running += 1;
    return () => {
      lane.running -= 1;
    };
  }

  /** @yields operations that may start now, which are kept no longer. */
  *released(): Iterable<Operation> {
    for (const lane of [this.#uploads, this.#others]) {
      lane.isHeldBack = this.#holdsBack(lane);
      let room = lane.isHeldBack ? lane.few - lane.running : Infinity;
      for (; room > 0; room -= 1) {
        const operation = lane.waiting.pop();
        if (operation === undefined) break;
        yield operation;
      }
    }
    if (!this.#isBusy) this.#sinceMs = undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#uploads.waiting.clear();
    this.#others.waiting.clear();
  }

  get #isBusy(): boolean {
    const [first] = this.#made;
    return this.#made.length === BUSY_CALLS && Date.now() - (first ?? 0) < BUSY_MS;
  }

  #holdsBack(lane: Lane): boolean {
    if (!this.#isBusy) return false;
    if (lane === this.#uploads && this.#host.isAwaited()) return false;
    return this.#sinceMs === undefined || Date.now() - this.#sinceMs < LONGEST_MS;
  }

  #laneOf({ record }: Operation): Lane {
    return record.kind === "put" ? this.#uploads : this.#others;
  }

  #lookAgain(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#host.wake();
      if (this.#uploads.waiting.size + this.#others.waiting.size > 0) this.#lookAgain();
    }, BUSY_MS);
  }
}
