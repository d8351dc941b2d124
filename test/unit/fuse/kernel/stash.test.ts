import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FileHandle } from "../../../../src/fs/file-system.ts";
import { NodeTable } from "../../../../src/fuse/kernel/node-table.ts";
import { Request } from "../../../../src/fuse/kernel/request.ts";
import { StashTable } from "../../../../src/fuse/kernel/stash.ts";
import { FileType, type Stat } from "../../../../src/posix/stat.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function requestOf(pid: number): Request {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(pid, 32);
  return new Request(header);
}

function setUp(): {
  nodes: NodeTable;
  stashes: StashTable;
  node: ReturnType<NodeTable["createDetached"]>;
  handle: FileHandle;
  release: ReturnType<typeof vi.fn<() => void>>;
} {
  const nodes = new NodeTable();
  const stat = { ino: 2, generation: 1, mode: FileType.file } as Stat;
  const release = vi.fn<() => void>();
  const handle = { release } as Partial<FileHandle> as FileHandle;
  const node = nodes.createDetached(nodes.root, "f", stat);
  return { nodes, stashes: new StashTable(nodes), node, handle, release };
}

test("a handle waits for the caller it was opened for, by pid and flags", () => {
  const { nodes, stashes, node, handle } = setUp();
  stashes.add(requestOf(7), node, handle, 0o1001);
  expect(stashes.forLookup(requestOf(7), nodes.root, "f")).toMatchObject({ node, handle });
  expect(stashes.forLookup(requestOf(8), nodes.root, "f")).toBeUndefined();
  expect(stashes.forLookup(requestOf(7), nodes.root, "g")).toBeUndefined();
  expect(stashes.claim(requestOf(8), node, 0o1001)).toBeUndefined();
  expect(stashes.claim(requestOf(7), node, 0)).toBeUndefined();
  expect(stashes.handleFor(node)).toBe(handle);
  expect(stashes.claim(requestOf(7), node, 0o1001)).toBe(handle);
  expect(stashes.claim(requestOf(7), node, 0o1001)).toBeUndefined();
});

test("a handle nobody claims is released after 2 s, and its node freed", () => {
  const { nodes, stashes, node, handle, release } = setUp();
  stashes.add(requestOf(7), node, handle, 0);
  nodes.forget(node.nodeid, 1);
  expect(nodes.size).toBe(2);
  vi.advanceTimersByTime(1999);
  expect(release).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(release).toHaveBeenCalledTimes(1);
  expect(nodes.size).toBe(1);
});

test("a claimed handle is not released by the clock", () => {
  const { stashes, node, handle, release } = setUp();
  stashes.add(requestOf(7), node, handle, 0);
  stashes.claim(requestOf(7), node, 0);
  vi.advanceTimersByTime(10_000);
  expect(release).not.toHaveBeenCalled();
});

test("drop() and clear() release what waits", () => {
  const { nodes, stashes, node, handle, release } = setUp();
  stashes.add(requestOf(7), node, handle, 0);
  stashes.drop(requestOf(8), nodes.root, "f");
  expect(release).not.toHaveBeenCalled();
  stashes.drop(requestOf(7), nodes.root, "f");
  expect(release).toHaveBeenCalledTimes(1);
  stashes.add(requestOf(7), node, handle, 0);
  stashes.clear();
  expect(release).toHaveBeenCalledTimes(2);
});
