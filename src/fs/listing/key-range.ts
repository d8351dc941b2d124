// Which part of the bytewise order of keys a listing covers, and where a part is best cut in two.
import { compareBytewise } from "../../posix/byte-order.ts";
import type { KeyRange } from "../../state/mount-state.ts";

/** What is known of a range that is being listed. */
export interface RangeProgress extends KeyRange {
  /** Pages listed so far. */
  readonly pages: number;
  /** The first key of the first page and of the latest one, and the last key so far. */
  readonly origin: string;
  readonly first: string;
  readonly last: string;
}

/** A place to cut: keys after `at` go to the new range. */
export interface Cut {
  readonly at: string;
  /** Pages that are left of the range, as far as one can tell; Infinity when one cannot. */
  readonly pagesLeft: number;
}

// names are made of these more often than of anything else, and they come in this order
const DIGITS = "0123456789";
const CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HEX_LETTERS = "abcdef";
const SMALL_LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** "0" comes right after "/". */
const AFTER_SLASH = "0";

/** Whether `key` is in the range. */
export function includes({ after, end }: KeyRange, key: string): boolean {
  return (
    (after === undefined || compareBytewise(key, after) > 0) &&
    (end === undefined || compareBytewise(key, end) <= 0)
  );
}

/** Whether any key that starts with `prefix`, which ends in "/", can be in the range. */
export function overlaps({ after, end }: KeyRange, prefix: string): boolean {
  const isBefore = end !== undefined && compareBytewise(prefix, end) > 0;
  const isAfter =
    after !== undefined && !after.startsWith(prefix) && compareBytewise(prefix, after) <= 0;
  return !isBefore && !isAfter;
}

/** Whether all keys that start with `prefix`, which ends in "/", are in the range. */
export function includesAll({ after, end }: KeyRange, prefix: string): boolean {
  return (
    (after === undefined || compareBytewise(after, prefix) < 0) &&
    (end === undefined || compareBytewise(pastDirectory(prefix), end) <= 0)
  );
}

/** The least text behind all keys that start with `prefix`, which ends in "/". */
function pastDirectory(prefix: string): string {
  return prefix.slice(0, -1) + AFTER_SLASH;
}

/**
 * Where to cut what is left of a range, going down from the top directory: a directory that fills whole pages ends one
 * part, else the names of its parent are halved by their letters. Undefined when there is no such place. A cut never
 * needs a request of its own, only the page that would be listed there anyway.
 */
export function cutOf(range: RangeProgress): Cut | undefined {
  const { last, end } = range;
  let prefix = "";
  for (let slash = last.indexOf("/"); slash >= 0; slash = last.indexOf("/", slash + 1)) {
    const directory = last.slice(0, slash + 1);
    const past = pastDirectory(directory);
    if (end === undefined || compareBytewise(past, end) < 0) {
      if (range.first.startsWith(directory)) return { at: past, pagesLeft: Infinity };
      const pagesLeft = estimate(range, prefix, lettersOf(range, prefix));
      return halve(range, prefix) ?? { at: past, pagesLeft };
    }
    prefix = directory;
  }
  return halve(range, prefix);
}

/** Cuts at a letter between the last key and the end, both below `prefix`. */
function halve(range: RangeProgress, prefix: string): Cut | undefined {
  const from = range.last.slice(prefix.length);
  const to = endBelow(range, prefix);
  let same = 0;
  while (same < from.length && from[same] === to?.[same]) same += 1;
  const common = from.slice(0, same);
  // half a surrogate pair
  if (/[\ud800-\udbff]$/.test(common)) return undefined;
  const low = from[same] ?? "";
  const high = to?.[same] ?? "\uffff";
  const letters = lettersOf(range, prefix);
  const between = letters.filter((letter) => letter > low && letter < high);
  const middle = between[between.length >> 1];
  if (middle === undefined) return undefined;
  return { at: prefix + common + middle, pagesLeft: estimate(range, prefix, letters) };
}

/** The end as a name below `prefix`; undefined when all of `prefix` is before it. */
function endBelow({ end }: KeyRange, prefix: string): string | undefined {
  return end?.startsWith(prefix) === true ? end.slice(prefix.length) : undefined;
}

/** What names below `prefix` are made of, to judge by those that were seen: cutting at another letter finds nothing. */
function lettersOf({ origin, first, last }: RangeProgress, prefix: string): readonly string[] {
  const seen = [origin, first, last]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .join();
  const small = /[g-z]/.test(seen) ? SMALL_LETTERS : HEX_LETTERS;
  const letters =
    (/[0-9]/.test(seen) ? DIGITS : "") +
    (/[A-Z]/.test(seen) ? CAPITALS : "") +
    (/[a-z]/.test(seen) ? small : "");
  return letters.split("");
}

/** Pages left, if keys below `prefix` are as dense in what is left as in what was listed. */
function estimate(range: RangeProgress, prefix: string, letters: readonly string[]): number {
  const { origin, last, pages } = range;
  const end = endBelow(range, prefix);
  const start = origin.startsWith(prefix) ? origin.slice(prefix.length) : "";
  const at = positionOf(last.slice(prefix.length), letters);
  const listed = at - positionOf(start, letters);
  const left = (end === undefined ? 1 : positionOf(end, letters)) - at;
  return listed <= 0 ? Infinity : (pages * left) / listed;
}

/** Where a name is between 0 and 1, by its first letters. */
function positionOf(name: string, letters: readonly string[]): number {
  let position = 0;
  let unit = 1;
  for (const letter of name.slice(0, 8)) {
    unit /= letters.length + 1;
    position += unit * letters.filter((other) => other < letter).length;
  }
  return position;
}
