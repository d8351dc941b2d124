// Who lists what in a crawl: ranges of keys, one worker each, cut in two when a worker has nothing to do.
import { compareBytewise } from "../../posix/byte-order.ts";
import type { KeyRange } from "../../state/mount-state.ts";
import { cutOf } from "../listing/key-range.ts";

/** A cut costs half a page: the one that runs over it. */
const WORTH_A_CUT_PAGES = 6;

/** A range that a worker lists page by page. */
export interface Lane {
  /** Merged up to here. */
  after: string | undefined;
  /** Listed up to here; undefined before the first page, and once all of it is listed. */
  last: string | undefined;
  /** Moves down while others take a share. */
  end: string | undefined;
  pages: number;
  origin: string | undefined;
  first: string | undefined;
  busy: boolean;
}

export class CrawlPlan {
  readonly #lanes = new Set<Lane>();
  #wake: (() => void)[] = [];

  constructor(ranges: readonly KeyRange[]) {
    for (const { after, end } of ranges) this.#lanes.add(newLane(after, end));
  }

  /** A lane to list; undefined once everything is listed or under way and not worth a cut. */
  take(): Lane | undefined {
    for (const lane of this.#lanes) {
      if (!lane.busy) return occupied(lane);
    }
    let best: { lane: Lane; at: string; pagesLeft: number } | undefined;
    for (const lane of this.#lanes) {
      const cut = this.#cut(lane);
      if (cut && cut.pagesLeft > (best?.pagesLeft ?? WORTH_A_CUT_PAGES)) best = { lane, ...cut };
    }
    if (!best) return undefined;
    const share = newLane(best.at, best.lane.end);
    best.lane.end = best.at;
    this.#lanes.add(share);
    return occupied(share);
  }

  /** A page came, from key `first` to `last`; returns the range that it covers. `isLast`: no page follows. */
  listed(lane: Lane, first: string | undefined, last: string, isLast: boolean): KeyRange {
    lane.pages += 1;
    lane.first = first;
    lane.origin ??= first;
    const { end } = lane;
    const isDone = isLast || (end !== undefined && compareBytewise(last, end) >= 0);
    lane.last = isDone ? undefined : last;
    this.#changed();
    return rangeOf({ after: lane.after, end: isDone ? end : last });
  }

  /** What listed() told is merged; returns whether the lane goes on. */
  merged(lane: Lane): boolean {
    lane.after = lane.last;
    if (lane.last === undefined) this.#lanes.delete(lane);
    this.#changed();
    return lane.last !== undefined;
  }

  /** A worker gives up its lane, unfinished. */
  release(lane: Lane): void {
    lane.busy = false;
    lane.last = undefined;
    this.#changed();
  }

  get isDone(): boolean {
    return this.#lanes.size === 0;
  }

  /** What is left to merge. */
  get ranges(): readonly KeyRange[] {
    return Array.from(this.#lanes, (lane) => rangeOf(lane));
  }

  /** Resolves with the next change of any lane. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #cut(lane: Lane): { at: string; pagesLeft: number } | undefined {
    const { origin, first, last, pages, end } = lane;
    if (origin === undefined || first === undefined || last === undefined) return undefined;
    const cut = cutOf({ origin, first, last, pages, ...(end === undefined ? {} : { end }) });
    // between what was listed and the end, or it is no cut
    if (!cut || compareBytewise(cut.at, last) <= 0) return undefined;
    return end === undefined || compareBytewise(cut.at, end) < 0 ? cut : undefined;
  }
}

/** The part of a lane that is not merged. */
function rangeOf({ after, end }: Pick<Lane, "after" | "end">): KeyRange {
  return { ...(after === undefined ? {} : { after }), ...(end === undefined ? {} : { end }) };
}

function newLane(after: string | undefined, end: string | undefined): Lane {
  return {
    after,
    last: undefined,
    end,
    pages: 0,
    origin: undefined,
    first: undefined,
    busy: false,
  };
}

function occupied(lane: Lane): Lane {
  lane.busy = true;
  return lane;
}
