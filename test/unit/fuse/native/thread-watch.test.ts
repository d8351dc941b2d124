import { afterEach, expect, test, vi } from "vitest";
import type { FuseObject } from "../../../../src/fuse/native/fuse-native.ts";
import { threadHandles, watchThreads } from "../../../../src/fuse/native/thread-watch.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

test("handles are told when they are many, and again when they have doubled", () => {
  const lines: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((line) => lines.push(String(line)) > 0);
  const threads = new Set<Buffer>();
  const fuse = {
    _threads: threads,
    _malloc(size: number): Buffer {
      const memory = Buffer.alloc(size);
      threads.add(memory);
      return memory;
    },
  } as unknown as FuseObject;
  watchThreads(fuse);
  const grow = (to: number): void => {
    while (threads.size < to) fuse._malloc(8);
  };
  grow(999);
  expect(threadHandles(fuse)).toEqual({ count: 999 });
  expect(lines).toEqual([]);
  grow(1999);
  expect(threadHandles(fuse).advice).toMatch(/mount again/);
  expect(lines).toHaveLength(1);
  grow(2000);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/warn fuse-native holds 2000 handles of threads: .*mount again/);
});
