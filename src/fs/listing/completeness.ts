// What need not be asked because everything was listed (sharing=exclusive), apart from the TTLs of single names.
import { log } from "../../log.ts";
import { parentPath } from "../../posix/path.ts";
import type { CrawlPosition, KeyRange, MountState, NameCoverage } from "../../state/mount-state.ts";
import { includes, overlaps } from "./key-range.ts";
import type { StoreOrder } from "./page-order.ts";

/** With more of them a crawl has to come first; they are written with every batch of names. */
const MOST_UNKNOWN = 10_000;

/** The part of a crawl's position that the crawl itself knows. */
export type CrawlProgress = Omit<CrawlPosition, "settles">;

/** A directory by its ino, and its path below the mount. */
export interface DirectoryPlace {
  readonly ino: number;
  readonly path: string;
}

export class Completeness {
  readonly #state: MountState;
  readonly #order: StoreOrder;
  #complete = false;
  #sinceMs: number | undefined;
  readonly #unknown = new Set<number>();
  /** Unknown now, and known once the crawl under way is done. */
  readonly #settles = new Set<number>();
  #crawl: CrawlProgress | undefined;
  /** Of the crawl under way. */
  #rangesLeft: (() => readonly KeyRange[]) | undefined;

  /** With sharing=shared nothing is ever covered, and what an earlier mount found out is void. */
  constructor(state: MountState, sharing: "shared" | "exclusive", order: StoreOrder) {
    this.#state = state;
    this.#order = order;
    if (sharing === "shared") {
      state.cover(undefined);
      return;
    }
    const found = state.coverage;
    this.#complete = found?.complete ?? false;
    this.#sinceMs = found?.sinceMs;
    for (const ino of found?.unknown ?? []) this.#unknown.add(ino);
    for (const ino of found?.crawl?.settles ?? []) this.#settles.add(ino);
    this.#crawl = found?.crawl;
  }

  /** Whether all names in the directory are known, so that S3 need not be asked. */
  covers(ino: number): boolean {
    return this.#complete && !this.#unknown.has(ino);
  }

  /** The same of a directory that the first crawl may have been through already: `path` is below it, or its own. */
  coversPlace(ino: number, path: string, isBelow = false): boolean {
    if (this.#complete || !this.#rangesLeft) return this.covers(ino);
    if (this.#unknown.has(ino) || !this.#order.isTrusted) return false;
    const directory = isBelow ? parentPath(path) : path;
    const prefix = `${directory.slice(1)}/`;
    return directory !== "/" && !this.#rangesLeft().some((range) => overlaps(range, prefix));
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** Ms since the epoch at which the last crawl ended. */
  get sinceMs(): number | undefined {
    return this.#sinceMs;
  }

  get unknownDirectories(): number {
    return this.#unknown.size;
  }

  /** A crawl that was begun and not ended. */
  get crawl(): CrawlProgress | undefined {
    return this.#crawl;
  }

  /** S3 told something else than we knew of a name in the directory: its names are asked for until the next crawl. */
  doubt(directory: DirectoryPlace): void {
    if (!this.coversPlace(directory.ino, directory.path)) return;
    log.warn(
      "Someone else changed %j: its names are asked for again, until the next refresh",
      directory.path,
    );
    this.#forgetDirectory(directory);
  }

  /** A directory that came up with a name in it: what else it holds was not listed. */
  found(directory: DirectoryPlace): void {
    if (this.#complete || (this.#rangesLeft && !this.#isAhead(directory))) {
      this.#forgetDirectory(directory);
    }
  }

  /** A crawl begins, or goes on at `progress`. */
  begin(progress: CrawlProgress, rangesLeft: () => readonly KeyRange[], isNew: boolean): void {
    this.#rangesLeft = rangesLeft;
    if (isNew) for (const ino of this.#unknown) this.#settles.add(ino);
    this.advance(progress);
  }

  /** The names that the crawl has merged are given to the state already. */
  advance(progress: CrawlProgress): void {
    this.#crawl = progress;
    this.#keep();
  }

  /** Everything was listed, and everything below `after` the beginning of the crawl. */
  done(): void {
    for (const ino of this.#settles) this.#unknown.delete(ino);
    this.#settles.clear();
    this.#crawl = undefined;
    this.#rangesLeft = undefined;
    this.#complete = true;
    this.#sinceMs = Date.now();
    this.#keep();
  }

  /** Everything in these directories was listed by other means. */
  settle(isKnown: (ino: number) => boolean): void {
    const known = Array.from(this.#unknown).filter((ino) => isKnown(ino));
    for (const ino of known) this.#unknown.delete(ino);
    if (known.length > 0) this.#keep();
  }

  #forgetDirectory(directory: DirectoryPlace): void {
    this.#unknown.add(directory.ino);
    if (this.#isAhead(directory)) this.#settles.add(directory.ino);
    else this.#settles.delete(directory.ino);
    if (this.#unknown.size > MOST_UNKNOWN) {
      log.warn("Someone else changes very much: names are asked for again, until the next refresh");
      this.#complete = false;
      this.#unknown.clear();
      this.#settles.clear();
    }
    this.#keep();
  }

  /** Whether the crawl under way has still to come to the directory's first name. */
  #isAhead({ path }: DirectoryPlace): boolean {
    const prefix = path === "/" ? "" : `${path.slice(1)}/`;
    return this.#rangesLeft?.().some((range) => includes(range, prefix)) ?? false;
  }

  #keep(): void {
    const coverage: NameCoverage = {
      complete: this.#complete,
      ...(this.#sinceMs === undefined ? {} : { sinceMs: this.#sinceMs }),
      unknown: [...this.#unknown],
      ...(this.#crawl === undefined
        ? {}
        : { crawl: { ...this.#crawl, settles: [...this.#settles] } }),
    };
    this.#state.cover(coverage);
  }
}
