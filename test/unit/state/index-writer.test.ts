import { expect, test } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { IndexWriter } from "../../../src/state/index-writer.ts";
import type { NameIndex } from "../../../src/state/name-index.ts";
import { NameOverlay } from "../../../src/state/name-overlay.ts";

test("drain() writes what became ready after an earlier drain() found it waiting", async () => {
  const overlay = new NameOverlay();
  const commits: number[] = [];
  const index = {
    commit: async (changes: readonly unknown[]) => void commits.push(changes.length),
  } as unknown as NameIndex;
  const writer = new IndexWriter({
    index,
    overlay,
    meta: { schema: 1, journalId: "j", applied: 0, nextIno: 2 },
    nextIno: () => 2,
    onApplied: () => undefined,
  });
  const cell = overlay.set({ parent: 1, name: "a", entry: undefined });
  const step = writer.add({ cells: [cell], redoSeq: 1, state: "waiting" });
  expect(await writer.drain()).toBe(false);
  writer.ready(step);
  expect(await writer.drain()).toBe(true);
  expect(commits).toEqual([1]);
}, 2000);

test("backlog tells of an index that cannot be written, until it can", async () => {
  const lines: string[] = [];
  setLogSink((line) => void lines.push(line), "plain");
  const overlay = new NameOverlay();
  let isBroken = true;
  const index = {
    commit: async () => {
      if (isBroken) throw new Error("no space left on device");
    },
  } as unknown as NameIndex;
  const writer = new IndexWriter({
    index,
    overlay,
    meta: { schema: 1, journalId: "j", applied: 0, nextIno: 2 },
    nextIno: () => 2,
    onApplied: () => undefined,
  });
  const learn = (from: number, count: number): void => {
    const cells = Array.from({ length: count }, (_, i) =>
      overlay.set({ parent: 1, name: `n${from + i}`, entry: undefined }),
    );
    writer.add({ cells, redoSeq: undefined, state: "ready" });
  };
  learn(0, 1000);
  expect(writer.backlog).toBeUndefined();
  expect(await writer.drain()).toBe(false);
  expect(writer.backlog).toEqual({
    changes: 1000,
    reason: "no space left on device",
    isFull: false,
  });
  learn(1000, 99_000);
  expect(writer.backlog).toMatchObject({ changes: 100_000, isFull: true });
  learn(100_000, 1);
  isBroken = false;
  expect(await writer.drain()).toBe(true);
  expect(writer.backlog).toBeUndefined();
  expect(lines.map((line) => line.replace(/^\S+ /, ""))).toEqual([
    "warn Names stay in memory: no space left on device\n",
    "error 100000 names wait in memory, more are refused: no space left on device\n",
  ]);
  setLogSink((line) => process.stderr.write(line), "plain");
});
