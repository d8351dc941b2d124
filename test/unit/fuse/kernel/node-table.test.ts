import { expect, test } from "vitest";
import type { OpenFile } from "../../../../src/fuse/kernel/node.ts";
import { NodeTable } from "../../../../src/fuse/kernel/node-table.ts";
import { FileType, type Stat } from "../../../../src/posix/stat.ts";

function statOf(ino: number, generation = 0, type: number = FileType.file): Stat {
  const times = { atime: 0n, mtime: 0n, ctime: 0n };
  return { ino, generation, mode: type, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 0, ...times };
}

const directory = (ino: number): Stat => statOf(ino, 0, FileType.directory);

/** A table with /d/e/f, each looked up once. */
function sample(): {
  table: NodeTable;
  d: ReturnType<NodeTable["bind"]>;
  e: ReturnType<NodeTable["bind"]>;
  f: ReturnType<NodeTable["bind"]>;
} {
  const table = new NodeTable();
  const d = table.bind(table.root, "d", directory(2));
  const e = table.bind(d, "e", directory(3));
  const f = table.bind(e, "f", statOf(4));
  for (const node of [d, e, f]) node.nlookup = 1;
  return { table, d, e, f };
}

test("path() walks the parents", () => {
  const { table, f } = sample();
  expect(table.path(table.root)).toBe("/");
  expect(table.path(f)).toBe("/d/e/f");
  expect(table.find("/d/e/f")).toBe(f);
  expect(table.find("/d/x/f")).toBeUndefined();
});

test("bind() gives the same node for the same object, another for another one", () => {
  const { table, e, f } = sample();
  expect(table.bind(e, "f", statOf(4))).toBe(f);
  const other = table.bind(e, "f", statOf(4, 1));
  expect(other).not.toBe(f);
  expect(f.attached).toBe(false);
  expect(table.path(other)).toBe("/d/e/f");
  expect(table.bind(e, "f", statOf(4, 1, FileType.symlink))).not.toBe(other);
});

test("bind() finds a node that had the name before", () => {
  const { table, e, f } = sample();
  const other = table.bind(e, "f", statOf(4, 1));
  other.nlookup = 1;
  expect(table.bind(e, "f", statOf(4))).toBe(f);
  expect(f.attached).toBe(true);
  expect(table.bind(e, "f", statOf(4, 1))).toBe(other);
  expect(e.former.get("f")?.size).toBe(1);
});

test("rename() moves what is below, and detaches what it replaces for good", () => {
  const { table, d, f } = sample();
  const target = table.bind(table.root, "x", directory(9));
  target.nlookup = 1;
  table.rename(table.root, "d", table.root, "x");
  expect(table.path(f)).toBe("/x/e/f");
  expect(table.find("/d")).toBeUndefined();
  expect(table.find("/x")).toBe(d);
  expect(() => table.path(target)).toThrow(expect.objectContaining({ code: "ESTALE" }));
});

test("rename() onto itself changes nothing", () => {
  const { table, e, f } = sample();
  table.rename(e, "f", e, "f");
  expect(table.path(f)).toBe("/d/e/f");
});

test("exchange() swaps two names", () => {
  const { table, d, f, e } = sample();
  table.exchange(table.root, "d", e, "f");
  // nonsense for a real tree, but each node must be where the other was
  expect([d.name, d.parent, f.name, f.parent]).toEqual(["f", e, "d", table.root]);
});

test("a removed name's node is dead: no path, the id still known", () => {
  const { table, e, f } = sample();
  table.removeName(e, "f");
  expect(table.get(f.nodeid)).toBe(f);
  expect(() => table.path(f)).toThrow(expect.objectContaining({ code: "ESTALE" }));
  const successor = table.bind(e, "f", statOf(4));
  expect(successor).not.toBe(f);
});

test("what is below a removed directory has no path", () => {
  const { table, d, f } = sample();
  table.removeName(table.root, "d");
  expect(d.attached).toBe(false);
  expect(() => table.path(f)).toThrow(expect.objectContaining({ code: "ESTALE" }));
});

test("forget() frees a node and then its parents, in any order", () => {
  const { table, d, e, f } = sample();
  table.forget(d.nodeid, 1);
  table.forget(e.nodeid, 1);
  expect(table.size).toBe(4);
  f.nlookup = 3;
  table.forget(f.nodeid, 2);
  expect(table.size).toBe(4);
  table.forget(f.nodeid, 1);
  expect(table.size).toBe(1);
  expect(table.root.children.size).toBe(0);
  expect(() => table.get(f.nodeid)).toThrow(expect.objectContaining({ code: "ESTALE" }));
  table.forget(f.nodeid, 1);
});

test("an open file keeps its node, a freed id is not used again", () => {
  const { table, e, f } = sample();
  const file = { writable: true } as OpenFile;
  f.addFile(file);
  table.forget(f.nodeid, 1);
  expect(table.get(f.nodeid)).toBe(f);
  f.removeFile(file);
  table.collect(f);
  const next = table.bind(e, "f", statOf(4));
  expect(next.nodeid).toBeGreaterThan(f.nodeid);
});

test("a detached node is freed with the name it could come back to", () => {
  const { table, e, f } = sample();
  const other = table.bind(e, "f", statOf(4, 1));
  other.nlookup = 1;
  table.forget(f.nodeid, 1);
  expect(e.former.size).toBe(0);
  expect(table.size).toBe(4);
});

test("a former child that outlives its parent takes nothing from the parent's successor", () => {
  const { table, e, f } = sample();
  table.loseName(e, "f");
  for (const nodeid of [e.nodeid, e.parent?.nodeid ?? 0]) table.forget(nodeid, 1);
  const successor = table.bind(table.root, "d", directory(2));
  successor.nlookup = 1;
  table.forget(f.nodeid, 1);
  expect(table.find("/d")).toBe(successor);
  expect(table.size).toBe(2);
});

test("isContested() is true while a detached node of the name is written or waited for", () => {
  const { table, e } = sample();
  expect(table.isContested(e, "f")).toBe(false);
  const next = table.createDetached(e, "f", statOf(4, 1));
  expect(table.isContested(e, "f")).toBe(false);
  next.stashes = 1;
  expect(table.isContested(e, "f")).toBe(true);
  next.stashes = 0;
  next.addFile({ writable: true } as OpenFile);
  expect(table.isContested(e, "f")).toBe(true);
});

test("rename() takes along those who wait for the name", () => {
  const { table, e } = sample();
  const next = table.createDetached(e, "f", statOf(4, 1));
  next.nlookup = 1;
  table.rename(e, "f", table.root, "g");
  expect(table.bind(table.root, "g", statOf(4, 1))).toBe(next);
});

test("100,000 lookups and forgets leave nothing", () => {
  const { table, e } = sample();
  for (let index = 0; index < 100_000; index++) {
    const node = table.bind(e, `n${index % 1000}`, statOf(index + 10));
    node.nlookup++;
    table.forget(node.nodeid, 1);
  }
  expect(table.size).toBe(4);
  expect(e.children.size + e.former.size).toBe(1);
});

test("idle() tells nodes that nothing here needs, the oldest first, and goes round", () => {
  const table = new NodeTable();
  const d = table.bind(table.root, "d", directory(2));
  const nodes = [3, 4, 5, 6].map((ino) => table.bind(d, `f${ino}`, statOf(ino)));
  const ids = nodes.map((node) => node.nodeid);
  nodes[1]?.addFile({} as OpenFile);
  expect(table.idle(2)).toEqual([ids[0], ids[2]]);
  expect(table.idle(2)).toEqual([ids[3], ids[0]]);
  expect(new NodeTable().idle(10)).toEqual([]);
});
