import { afterEach, beforeEach, expect, test } from "vitest";
import { andThen, runOperation } from "../../../src/fuse/operation.ts";
import { setLogSink } from "../../../src/log.ts";
import { Errno, FsError } from "../../../src/posix/errno.ts";

let lines: string[] = [];

beforeEach(() => {
  lines = [];
  setLogSink((line) => lines.push(line), "plain");
});
afterEach(() => {
  setLogSink((line) => process.stderr.write(line), "plain");
});

/** Runs and returns what was called, in order. */
async function outcome(run: () => string | Promise<string>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const state = runOperation(
    "TEST",
    run,
    (value) => seen.push(value),
    (errno) => seen.push(errno),
  );
  seen.push(state);
  await new Promise(setImmediate);
  return seen;
}

test("a value is settled before runOperation() returns, a promise after", async () => {
  expect(await outcome(() => "now")).toEqual(["now", "settled"]);
  expect(await outcome(async () => "later")).toEqual(["pending", "later"]);
});

test("EACCES is told where S3 was its cause, not where a mode was", async () => {
  const archived = new FsError("EACCES", "Cannot GET a: archived", { cause: new Error("403") });
  await outcome(async () => Promise.reject(new FsError("EACCES", "no permission")));
  expect(lines).toEqual([]);
  await outcome(async () => Promise.reject(archived));
  expect(lines.join("")).toContain("TEST failed: Cannot GET a: archived");
});

test("an FsError becomes its errno without a line", async () => {
  const fail = (): never => {
    throw new FsError("ENOTEMPTY", "Cannot remove it");
  };
  expect(await outcome(fail)).toEqual([Errno.ENOTEMPTY, "settled"]);
  expect(await outcome(async () => fail())).toEqual(["pending", Errno.ENOTEMPTY]);
  expect(lines).toEqual([]);
});

test("anything else becomes EIO and a logged stack", async () => {
  const fail = (): never => {
    throw new TypeError("a bug");
  };
  expect(await outcome(fail)).toEqual([Errno.EIO, "settled"]);
  expect(await outcome(async () => fail())).toEqual(["pending", Errno.EIO]);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/error TEST failed unexpectedly: TypeError: a bug.*operation\.test/);
});

test("andThen() applies at once to a value, later to a promise", async () => {
  expect(andThen(1, (value) => value + 1)).toBe(2);
  await expect(andThen(Promise.resolve(1), (value) => value + 1)).resolves.toBe(2);
});
