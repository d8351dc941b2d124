// Sorts objects by their last use without one long stop: a million of them would hold the event loop for seconds.
import type { ObjectId } from "./object-record.ts";

// sorted at once, in about 10 ms
const RUN_LENGTH = 32_768;

interface Run {
  readonly ids: ObjectId[];
  readonly bytes: Float64Array;
  readonly lastUsed: Float64Array;
  /** Positions in order of last use. */
  order: Uint16Array;
  next: number;
}

/** Collects objects in sorted runs and merges them. */
export class UsageOrder {
  private readonly runs: Run[] = [];

  add(id: ObjectId, bytes: number, lastUsed: number): void {
    let run = this.runs.at(-1);
    if (run === undefined || run.ids.length === RUN_LENGTH) {
      if (run !== undefined) sortRun(run);
      run = newRun();
      this.runs.push(run);
    }
    const position = run.ids.length;
    run.ids.push(id);
    run.bytes[position] = bytes;
    run.lastUsed[position] = lastUsed;
  }

  /** @yields everything once, the least recently used first. */
  *sorted(): Generator<{ id: ObjectId; bytes: number }> {
    const last = this.runs.at(-1);
    if (last !== undefined) sortRun(last);
    for (let run = this.oldest(); run !== undefined; run = this.oldest()) {
      const position = run.order[run.next++] ?? 0;
      const id = run.ids[position];
      if (id !== undefined) yield { id, bytes: run.bytes[position] ?? 0 };
    }
  }

  private oldest(): Run | undefined {
    let oldest: Run | undefined;
    let oldestTime = Infinity;
    for (const run of this.runs) {
      if (run.next >= run.order.length) continue;
      const time = run.lastUsed[run.order[run.next] ?? 0] ?? 0;
      if (oldest !== undefined && time >= oldestTime) continue;
      oldest = run;
      oldestTime = time;
    }
    return oldest;
  }
}

function newRun(): Run {
  return {
    ids: [],
    bytes: new Float64Array(RUN_LENGTH),
    lastUsed: new Float64Array(RUN_LENGTH),
    order: new Uint16Array(0),
    next: 0,
  };
}

function sortRun(run: Run): void {
  const { lastUsed } = run;
  run.order = new Uint16Array(run.ids.length).map((_, i) => i);
  run.order.sort((a, b) => (lastUsed[a] ?? 0) - (lastUsed[b] ?? 0));
}
