import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { NodeTable } from "../../../../src/fuse/kernel/node-table.ts";
import { encodePrune } from "../../../../src/fuse/kernel/notifications.ts";
import { Pruner } from "../../../../src/fuse/kernel/pruner.ts";
import { FileType, type Stat } from "../../../../src/posix/stat.ts";

function make(nodes: NodeTable, count: number): void {
  for (let i = 0; i < count; i += 1) {
    const ino = nodes.made + 1;
    const stat = { ino, generation: 0, mode: FileType.file } as Stat;
    nodes.bind(nodes.root, `f${ino}`, stat).nlookup = 1;
  }
}

/** Lets all that is under way come to its end. */
async function turns(): Promise<void> {
  for (let i = 0; i < 100; i += 1) await setImmediate();
}

/** The nodeids of a PRUNE message. */
function asked(message: Buffer): number[] {
  const ids: number[] = [];
  for (let at = 32; at < message.length; at += 8) ids.push(Number(message.readBigUInt64LE(at)));
  return ids;
}

test("PRUNE is encoded byte for byte", () => {
  expect(encodePrune([7, 8]).toString("hex")).toBe(
    [
      "3000000009000000",
      "00".repeat(8),
      "02000000",
      "00".repeat(12),
      "0700000000000000",
      "0800000000000000",
    ].join(""),
  );
});

test("above the limit the oldest are asked for, a tenth more than needed, and again after as many new ones", async () => {
  const nodes = new NodeTable();
  const sent: number[][] = [];
  new Pruner(
    nodes,
    async (message) => {
      sent.push(asked(message));
      for (const nodeid of asked(message)) nodes.forget(nodeid, 1);
      return 0;
    },
    100,
  ).start();
  make(nodes, 99);
  make(nodes, 1);
  const oldest = Array.from({ length: 11 }, (_, i) => i + 2);
  await vi.waitFor(() => expect(sent).toEqual([oldest]), 10_000);
  expect(nodes.size).toBe(90);
  make(nodes, 11);
  await vi.waitFor(() => expect(sent).toHaveLength(2), 10_000);
  expect(nodes.size).toBe(90);
});

test("a kernel that does not know of it is asked once, and one that keeps all not without end", async () => {
  const refusing = new NodeTable();
  const refuse = vi.fn<() => Promise<number>>(async () => 22);
  new Pruner(refusing, refuse, 100).start();
  const keeping = new NodeTable();
  const keep = vi.fn<() => Promise<number>>(async () => 0);
  new Pruner(keeping, keep, 100).start();
  for (let round = 0; round < 3; round += 1) {
    make(refusing, 100);
    make(keeping, 100);
    await turns();
  }
  const asked = keep.mock.calls.length;
  expect(asked).toBeGreaterThan(1);
  await turns();
  expect(keep).toHaveBeenCalledTimes(asked);
  expect(refuse).toHaveBeenCalledTimes(1);
});
