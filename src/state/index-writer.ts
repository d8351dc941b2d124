// Carries name changes from memory into index.mdb: in order, in batches, and mutations only once the journal has them.
import { log } from "../log.ts";
import type { NameBacklog, NameCoverage } from "./mount-state.ts";
import type { NameChange } from "./namespace-entry.ts";
import type { IndexMeta, NameIndex } from "./name-index.ts";
import type { NameCell, NameOverlay } from "./name-overlay.ts";

// Collects the changes of one burst; names are readable from memory meanwhile.
const DELAY_MS = 20;
// The puts of a batch are made on the thread that serves the mount: 2 ms of it at most.
const BATCH_CHANGES = 512;
// Changes in memory above which those who learn names without end wait: about 10 MB.
const ENOUGH_CHANGES = 16_384;
const RETRY_MS = 2000;
// What may pile up in memory while the index cannot be written: about 60 MB.
const MOST_CHANGES = 100_000;

/** Changes that go to the index together. */
export interface IndexStep {
  readonly cells: readonly NameCell[];
  /** Of the redo record that holds them; undefined for what was only learnt. */
  readonly redoSeq: number | undefined;
  /** Present: what the header says of coverage from here on. */
  readonly coverage?: NameCoverage | undefined;
  state: "waiting" | "ready" | "cancelled";
}

/** Writes steps in the order of add(); a step that waits for the journal holds up those behind it. */
export class IndexWriter {
  private readonly index: NameIndex;
  private readonly overlay: NameOverlay;
  private readonly journalId: string;
  private readonly schema: number;
  private readonly nextIno: () => number;
  private readonly onApplied: (seq: number) => void;
  private steps: IndexStep[] = [];
  private applied: number;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  /** Why the last batch was not written. */
  private failure: string | undefined;
  private saidFull = false;
  private coverage: NameCoverage | undefined;
  private changes = 0;
  private waiters: (() => void)[] = [];

  constructor(options: {
    index: NameIndex;
    overlay: NameOverlay;
    meta: IndexMeta;
    nextIno: () => number;
    onApplied: (seq: number) => void;
  }) {
    this.index = options.index;
    this.overlay = options.overlay;
    this.journalId = options.meta.journalId;
    this.schema = options.meta.schema;
    this.applied = options.meta.applied;
    this.coverage = options.meta.coverage;
    this.nextIno = options.nextIno;
    this.onApplied = options.onApplied;
  }

  add(step: IndexStep): IndexStep {
    this.steps.push(step);
    this.changes += step.cells.length;
    if (step.state === "ready") this.schedule();
    if (this.backlog?.isFull === true && !this.saidFull) {
      this.saidFull = true;
      log.error("%d names wait in memory, more are refused: %s", this.changes, this.failure);
    }
    return step;
  }

  ready(step: IndexStep): void {
    step.state = "ready";
    this.schedule();
  }

  cancel(step: IndexStep): void {
    step.state = "cancelled";
    this.schedule();
  }

  get backlog(): NameBacklog | undefined {
    const { changes, failure } = this;
    if (failure === undefined) return undefined;
    return { changes, reason: failure, isFull: changes >= MOST_CHANGES };
  }

  /** Resolves when the backlog is short; undefined when it is. */
  room(): Promise<void> | undefined {
    if (this.changes < ENOUGH_CHANGES) return undefined;
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  /** Writes all that is ready; resolves to whether that is everything. */
  async drain(): Promise<boolean> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.failure = undefined;
    do {
      await this.start();
    } while (
      this.failure === undefined &&
      this.steps[0] !== undefined &&
      this.steps[0].state !== "waiting"
    );
    return this.steps.length === 0;
  }

  private schedule(): void {
    if (this.timer !== undefined || this.running !== undefined) return;
    const delay = this.failure !== undefined ? RETRY_MS : DELAY_MS;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.start();
    }, delay);
    // names that never got there are in the journal
    this.timer.unref();
  }

  /** Never rejects. The end is noted in a later turn: a run with nothing to do ends before its promise is kept. */
  private start(): Promise<void> {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      if (this.steps[0] !== undefined && this.steps[0].state !== "waiting") this.schedule();
    });
    return this.running;
  }

  private async run(): Promise<void> {
    for (let batch = this.takeBatch(); batch.length > 0; batch = this.takeBatch()) {
      if (!(await this.writeBatch(batch))) {
        this.steps = [...batch, ...this.steps];
        break;
      }
      for (const { cells } of batch) this.changes -= cells.length;
      if (this.changes < ENOUGH_CHANGES / 2) {
        for (const resolve of this.waiters.splice(0)) resolve();
      }
      // a commit per change or two takes the disk from those who close files
      if (this.changes < BATCH_CHANGES) break;
    }
  }

  private takeBatch(): IndexStep[] {
    let changes = 0;
    let count = 0;
    for (const step of this.steps) {
      if (step.state === "waiting" || (count > 0 && changes + step.cells.length > BATCH_CHANGES)) {
        break;
      }
      changes += step.cells.length;
      count++;
    }
    return count === 0 ? [] : this.steps.splice(0, count);
  }

  private async writeBatch(batch: readonly IndexStep[]): Promise<boolean> {
    const steps = batch.filter(({ state }) => state === "ready");
    const cells = steps.flatMap((step) => step.cells);
    const applied = steps.reduce((seq, step) => Math.max(seq, step.redoSeq ?? 0), this.applied);
    const covering = steps.findLast((step) => "coverage" in step);
    const coverage = covering === undefined ? this.coverage : covering.coverage;
    if (cells.length === 0 && applied === this.applied && covering === undefined) return true;
    try {
      await this.index.commit(cells.map(toChange), {
        schema: this.schema,
        journalId: this.journalId,
        applied,
        nextIno: this.nextIno(),
        ...(coverage === undefined ? {} : { coverage }),
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.failure === undefined) log.warn("Names stay in memory: %s", reason);
      this.failure = reason;
      return false;
    }
    if (this.failure !== undefined) log.info("The index of names is written again");
    this.failure = undefined;
    this.saidFull = false;
    for (const cell of cells) this.overlay.settle(cell);
    this.applied = applied;
    this.coverage = coverage;
    this.onApplied(applied);
    return true;
  }
}

function toChange({ parent, cell }: NameCell): NameChange {
  return { parent, name: cell.key, entry: cell.value };
}
