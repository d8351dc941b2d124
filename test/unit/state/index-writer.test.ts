import { expect, test } from "vitest";
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
