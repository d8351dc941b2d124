// One opendir(3): the names of a directory in the order of their bytes, as the pages of its listing come.
import { setImmediate } from "node:timers/promises";
import { compareBytewise } from "../../posix/byte-order.ts";
import { log } from "../../log.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { DirectoryListing } from "./directory-listing.ts";
import type { CallContext, DirectoryEntry, DirectoryHandle, Entry } from "../file-system.ts";
import type { Listings } from "./listings.ts";
import { NameLog } from "./name-log.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import { untilAborted } from "../until-aborted.ts";

/** Names looked at in one go: more than any READDIR reply holds, and decoded within some 3 ms. */
const AT_ONCE = 1024;

/** A name that was removed after it was given; programs that stat it learn so. */
const gone: Entry = {
  stat: {
    ino: 1,
    generation: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: 0,
    atime: 0n,
    mtime: 0n,
    ctime: 0n,
  },
  validMs: 0,
};

/** What the reader of a directory works with. */
export interface ReaderParts {
  readonly namespace: Namespace;
  readonly listings: Listings;
  readonly show: (entry: NamespaceEntry) => Entry;
}

/**
 * Names come in bytewise order, so that none comes twice and nothing need be remembered to tell. Up to the last key of
 * the pages that came all names are known, but for those of which that key is a longer spelling: the directory `a` is
 * listed (as `a/`) behind `a-b`. These are given late. When a store lists in another order, everything that is left
 * waits for the last page and is compared with what was given.
 */
export class DirectoryReader implements DirectoryHandle {
  readonly #parts: ReaderParts;
  readonly #directory: Located;
  readonly #given = new NameLog();
  #listing: DirectoryListing | undefined;
  /** All names are known: no page need be waited for. */
  #isKnown = false;
  /** Names up to here were looked at. */
  #cursor: string | undefined;
  /** Names before the cursor that were not there, and that a later page may tell of. */
  readonly #late = new Set<string>();
  /** Names that were given out of order; undefined before the first read. */
  #skip: Set<string> | undefined;

  constructor(directory: Located, parts: ReaderParts) {
    this.#directory = directory;
    this.#parts = parts;
  }

  async read(offset: number, { signal }: CallContext): Promise<readonly DirectoryEntry[]> {
    // rewinddir(3) looks again, as POSIX asks
    if (offset === 0) this.#rewind();
    for (;;) {
      const before = this.#given.length;
      if (offset < before) return this.#again(offset);
      const entries = this.#take();
      if (offset < this.#given.length) return entries?.slice(offset - before) ?? [];
      if (entries) await setImmediate();
      else if (this.#isKnown) return [];
      else await this.#learnMore(signal);
    }
  }

  fsync(): void {
    // calls that change names are durable when they return
  }

  release(): void {
    this.#rewind();
  }

  #rewind(): void {
    this.#given.clear();
    this.#late.clear();
    this.#listing = undefined;
    this.#isKnown = false;
    this.#cursor = undefined;
    this.#skip = undefined;
  }

  /** Names that were given before, as they are now. */
  #again(offset: number): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    const end = Math.min(this.#given.length, offset + AT_ONCE);
    for (let i = offset; i < end; i += 1) {
      const name = this.#given.at(i);
      const entry = this.#parts.namespace.get(this.#directory.entry.ino, name);
      entries.push({ name, ...(entry ? this.#parts.show(entry) : gone) });
    }
    return entries;
  }

  /** The next names, perhaps none of them worth giving; undefined when there are none (yet). */
  #take(): DirectoryEntry[] | undefined {
    const { listings } = this.#parts;
    if (!this.#skip) return this.#takeCreated();
    this.#isKnown ||= !this.#listing && listings.areKnown(this.#directory);
    if (this.#isKnown) return this.#takeInOrder(undefined);
    const last = this.#listing?.order.last;
    return last === undefined ? undefined : this.#takeInOrder(last);
  }

  /** Files that were not closed yet have no place in the order until they are. */
  #takeCreated(): DirectoryEntry[] {
    const { namespace } = this.#parts;
    const { ino } = this.#directory.entry;
    const entries: DirectoryEntry[] = [];
    this.#skip = new Set(namespace.createdIn(ino));
    for (const name of this.#skip) {
      const entry = namespace.get(ino, name);
      if (entry) entries.push(this.#give(name, entry));
    }
    return entries;
  }

  /** Names up to the key `last`, or all. */
  #takeInOrder(last: string | undefined): DirectoryEntry[] | undefined {
    const { namespace } = this.#parts;
    const entries = this.#takeLate();
    if (last !== undefined) this.#expectLate(last);
    const limit = last?.endsWith("/") === true ? last.slice(0, -1) : last;
    let looked = 0;
    for (const [name, entry] of namespace.childrenAfter(this.#directory.entry.ino, this.#cursor)) {
      if (looked === AT_ONCE) return entries;
      if (limit !== undefined && compareBytewise(name, limit) > 0) break;
      looked += 1;
      this.#cursor = name;
      if (this.#skip?.has(name) === true || !this.#stands(entry)) continue;
      this.#late.delete(name);
      entries.push(this.#give(name, entry));
    }
    return looked === 0 && entries.length === 0 ? undefined : entries;
  }

  #takeLate(): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    for (const name of this.#late) {
      if (compareBytewise(name, this.#cursor ?? "") > 0) continue;
      const entry = this.#parts.namespace.get(this.#directory.entry.ino, name);
      const isThere = entry !== undefined && this.#stands(entry);
      if (isThere && this.#skip?.has(name) !== true) entries.push(this.#give(name, entry));
      if (isThere || this.#isKnown || this.#listing?.hasPassed(name) === true) {
        this.#late.delete(name);
      }
    }
    return entries;
  }

  /** Of `a-b` the directory `a` comes later: "-" is before "/". */
  #expectLate(last: string): void {
    for (let i = 1; i < last.length; i += 1) {
      if (last.charCodeAt(i) >= SLASH) continue;
      const name = last.slice(0, i);
      if (this.#cursor === undefined || compareBytewise(name, this.#cursor) > 0) {
        this.#late.add(name);
      }
    }
  }

  #stands(entry: NamespaceEntry): boolean {
    return this.#isKnown || this.#listing?.stands(entry) !== false;
  }

  #give(name: string, entry: NamespaceEntry): DirectoryEntry {
    this.#given.push(name);
    return { name, ...this.#parts.show(entry) };
  }

  async #learnMore(signal: AbortSignal): Promise<void> {
    const { listings, namespace } = this.#parts;
    const { parent, name, path, entry } = this.#directory;
    try {
      await untilAborted(this.#nextPage(), signal);
    } catch (error) {
      if (signal.aborted || !listings.wereKnown(this.#directory)) throw error;
      log.debug("S3 did not list %j, serving what was known: %s", path, error);
      this.#isKnown = true;
    }
    // a directory that is another one by now: what is known of it is all that there will be
    this.#isKnown ||=
      this.#listing?.state === "complete" || namespace.get(parent, name)?.ino !== entry.ino;
    if (!this.#isKnown || this.#listing?.order.isBroken !== true) return;
    this.#skip = new Set(Array.from({ length: this.#given.length }, (_, i) => this.#given.at(i)));
    this.#cursor = undefined;
  }

  /** Resolves when more is known of the directory than before. */
  async #nextPage(): Promise<void> {
    const { listings } = this.#parts;
    if (!this.#listing) {
      const isKnown = (): boolean => listings.areKnown(this.#directory);
      await listings.walks.come(this.#directory, isKnown);
      if (isKnown()) return;
    }
    const isOver = this.#listing?.state === "failed" || this.#listing?.state === "abandoned";
    if (!this.#listing || isOver) this.#listing = listings.list(this.#directory);
    await this.#listing.next();
  }
}

const SLASH = "/".charCodeAt(0);
