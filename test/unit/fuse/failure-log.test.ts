import { afterEach, beforeEach, expect, test } from "vitest";
import { FailureLog } from "../../../src/fuse/failure-log.ts";
import { setLogSink } from "../../../src/log.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";

let lines: string[] = [];

beforeEach(() => {
  lines = [];
  setLogSink((line) => lines.push(line), "journal");
});
afterEach(() => {
  setLogSink((line) => process.stderr.write(line), "plain");
});

test("many failures are two lines in a period", async () => {
  const failures = new FailureLog(200);
  for (let i = 0; i < 100; i += 1) failures.tell("READ", `reason ${i}`);
  expect(lines).toEqual(["<4>READ failed: reason 0\n"]);
  await waitUntil("the period is over", () => lines.length > 1);
  expect(lines[1]).toBe("<4>99 more operations failed, the last one: READ failed: reason 99\n");
});

test("a failure after a quiet period is told at once", async () => {
  const failures = new FailureLog(20);
  for (let i = 0; i < 3; i += 1) {
    failures.tell("READ", `reason ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  expect(lines).toHaveLength(3);
});
