import { expect, test, vi } from "vitest";
import { NodeTable } from "../../../../src/fuse/kernel/node-table.ts";
import {
  encodeInvalEntry,
  encodeInvalInode,
  Notifications,
} from "../../../../src/fuse/kernel/notifications.ts";
import { FileType, type Stat } from "../../../../src/posix/stat.ts";

test("INVAL_INODE and INVAL_ENTRY are encoded byte for byte", () => {
  const head = (length: string, code: string): string => `${length}${code}${"00".repeat(8)}`;
  expect(encodeInvalInode(7, true).toString("hex")).toBe(
    [head("28000000", "02000000"), "0700000000000000", "00".repeat(8), "00".repeat(8)].join(""),
  );
  expect(encodeInvalInode(7, false).toString("hex")).toBe(
    [head("28000000", "02000000"), "0700000000000000", "ff".repeat(8), "00".repeat(8)].join(""),
  );
  expect(encodeInvalEntry(7, "ab").toString("hex")).toBe(
    [head("23000000", "03000000"), "0700000000000000", "02000000", "00000000", "616200"].join(""),
  );
});

test("what the kernel does not know is not sent, and what is asked twice is sent once", async () => {
  const nodes = new NodeTable();
  const stat = { ino: 2, generation: 0, mode: FileType.file } as Stat;
  const node = nodes.bind(nodes.root, "f", stat);
  const sent: Buffer[] = [];
  const notifications = new Notifications(nodes, async (message) => {
    sent.push(message);
    return 0;
  });
  notifications.add({ kind: "data", path: "/f" });
  notifications.add({ kind: "data", path: "/f" });
  notifications.add({ kind: "data", path: "/unknown" });
  notifications.add({ kind: "entry", path: "/unknown/f" });
  notifications.add({ kind: "entry", path: "/f" });
  expect(sent).toEqual([]);
  await vi.waitFor(() => expect(sent).toHaveLength(2));
  expect(sent).toEqual([encodeInvalInode(node.nodeid, true), encodeInvalEntry(1, "f")]);
});

test("at most two are on their way at a time", async () => {
  const nodes = new NodeTable();
  const waiting: (() => void)[] = [];
  const notifications = new Notifications(nodes, async () => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return 2;
  });
  for (let index = 0; index < 6; index++) notifications.add({ kind: "entry", path: `/f${index}` });
  await vi.waitFor(() => expect(waiting).toHaveLength(2));
  for (let sent = 3; sent <= 6; sent++) {
    waiting.shift()?.();
    await vi.waitFor(() => expect(waiting).toHaveLength(Math.min(2, 6 - sent + 2)));
  }
  expect(waiting).toHaveLength(2);
});
