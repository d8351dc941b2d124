// The time by which delays end: wall clock time, since they last over restarts, but no faster than time passes.
import { log } from "../log.ts";

/** What a clock may be set by without a word: who delays for less does not mind. */
const JUMP_MS = 60_000;

/**
 * A clock that is set forward while we run does not end a delay early: what it jumped counts as not passed, until the
 * next start. Only a clock that was behind what was recorded before was wrong, and may be put right.
 */
export class DelayClock {
  readonly #isPast: () => number;
  readonly #wall: () => number;
  readonly #passed: () => number;
  #lastWall: number;
  #lastPassed: number;
  #ahead = 0;

  /** `isPast` returns a time that certainly is past, 0 if none is known; the others are Date.now and performance.now. */
  constructor(
    isPast: () => number,
    wall: () => number = Date.now,
    passed: () => number = () => performance.now(),
  ) {
    this.#isPast = isPast;
    this.#wall = wall;
    this.#passed = passed;
    this.#lastWall = wall();
    this.#lastPassed = passed();
  }

  /** Ms since the epoch; to be called once a minute at least. */
  now(): number {
    const wall = this.#wall();
    const passed = this.#passed();
    const expected = this.#lastWall + passed - this.#lastPassed;
    const jump = wall - Math.max(expected, Math.min(wall, this.#isPast()));
    if (jump > JUMP_MS) {
      this.#ahead += jump;
      const seconds = Math.round(jump / 1000);
      log.warn(
        "The clock went %d s ahead at once (set, or asleep): delayed deletes wait as much longer",
        seconds,
      );
    } else if (wall - expected < -JUMP_MS) {
      this.#ahead = Math.max(0, this.#ahead - (expected - wall));
    }
    this.#lastWall = wall;
    this.#lastPassed = passed;
    return wall - this.#ahead;
  }
}
