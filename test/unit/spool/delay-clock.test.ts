import { expect, test } from "vitest";
import { DelayClock } from "../../../src/spool/delay-clock.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A machine's clocks, and the clock over them. */
function clockFrom(start: number, isPast = 0) {
  const machine = { wall: start, passed: 5 };
  const clock = new DelayClock(
    () => isPast,
    () => machine.wall,
    () => machine.passed,
  );
  const pass = (ms: number, jump = 0): number => {
    machine.passed += ms;
    machine.wall += ms + jump;
    return clock.now();
  };
  return pass;
}

test("time passes as on the wall while nobody sets the clock", () => {
  const pass = clockFrom(1000 * HOUR);
  expect(pass(0)).toBe(1000 * HOUR);
  expect(pass(MINUTE)).toBe(1000 * HOUR + MINUTE);
  // what a time server corrects at once
  expect(pass(MINUTE, 500)).toBe(1000 * HOUR + 2 * MINUTE + 500);
});

test("a clock that is set forward ends no delay early", () => {
  const pass = clockFrom(1000 * HOUR);
  expect(pass(MINUTE, 24 * HOUR)).toBe(1000 * HOUR + MINUTE);
  expect(pass(MINUTE)).toBe(1000 * HOUR + 2 * MINUTE);
  // and back again
  expect(pass(MINUTE, -24 * HOUR)).toBe(1000 * HOUR + 3 * MINUTE);
});

test("a clock that is set back makes delays longer, not shorter", () => {
  const pass = clockFrom(1000 * HOUR);
  expect(pass(MINUTE, -HOUR)).toBe(999 * HOUR + MINUTE);
});

test("a clock that was behind what is known may be put right", () => {
  // a machine without a battery, that removed files in hour 1000 and was off since
  const pass = clockFrom(0, 1000 * HOUR);
  expect(pass(MINUTE, 1000 * HOUR - MINUTE)).toBe(1000 * HOUR);
  expect(pass(MINUTE)).toBe(1000 * HOUR + MINUTE);
});
