import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { FileHandle } from "../../../../src/fs/file-system.ts";
import { Node } from "../../../../src/fuse/kernel/node.ts";
import { type BackingCalls, IoModes } from "../../../../src/fuse/kernel/passthrough.ts";
import { type ErrnoName, FsError } from "../../../../src/posix/errno.ts";
import { FileType, type Stat } from "../../../../src/posix/stat.ts";

const DIRECT_IO = 1;
const KEEP_CACHE = 2;
const NOFLUSH = 32;
const PASSTHROUGH = 128;

const stat = { ino: 2, generation: 0, mode: FileType.file | 0o644 } as Stat;
let directory = "";
let a = -1;
let sameAsA = -1;
let b = -1;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "pailfs-passthrough-"));
  a = openSync(join(directory, "a"), "w+");
  sameAsA = openSync(join(directory, "a"), "r");
  b = openSync(join(directory, "b"), "w+");
});

afterAll(() => {
  for (const fd of [a, sameAsA, b]) closeSync(fd);
  rmSync(directory, { recursive: true });
});

function handle(fd: number | undefined, mode: number = stat.mode, keepCache = false): FileHandle {
  const made: Partial<FileHandle> = {
    keepCache,
    backing: () => fd,
    entry: () => ({ stat: { ...stat, mode }, validMs: 0 }),
  };
  return made as FileHandle;
}

/** Counts ids, or refuses. */
class FakeCalls implements BackingCalls {
  readonly open = new Set<number>();
  refusal: ErrnoName | undefined;
  asked = 0;
  #last = 0;

  backingOpen(): number {
    this.asked++;
    if (this.refusal !== undefined) throw new FsError(this.refusal, "Cannot register");
    this.open.add(++this.#last);
    return this.#last;
  }

  backingClose(_device: number, backingId: number): void {
    this.open.delete(backingId);
  }
}

let calls = new FakeCalls();
let modes = new IoModes(-1, calls);
let node = new Node(2, undefined, "f", stat);

beforeEach(() => {
  calls = new FakeCalls();
  modes = new IoModes(-1, calls);
  node = new Node(2, undefined, "f", stat);
});

/** Opens and counts; undefined when the node cannot take the handle. */
function open(made: FileHandle, writable: boolean): number | undefined {
  const choice = modes.choose(node, made, writable);
  if (choice !== undefined) modes.opened(node, choice.mode);
  return choice?.openFlags;
}

test("the first open decides: passthrough with a backing file, cached without", () => {
  expect(open(handle(a), true)).toBe(PASSTHROUGH);
  node = new Node(3, undefined, "g", stat);
  expect(open(handle(undefined), true)).toBe(0);
  expect(open(handle(undefined, stat.mode, true), false)).toBe(KEEP_CACHE | NOFLUSH);
});

test("cached beside passthrough becomes passthrough: a writer's calls come to the daemon", () => {
  open(handle(a), false);
  expect(open(handle(undefined), false)).toBe(PASSTHROUGH | NOFLUSH);
  expect(open(handle(undefined), true)).toBe(PASSTHROUGH | DIRECT_IO);
});

test("passthrough beside cached stays cached", () => {
  open(handle(undefined), false);
  expect(open(handle(a), true)).toBe(0);
  expect(calls.asked).toBe(0);
});

test("two descriptors of one backing file share one id", () => {
  open(handle(a), false);
  expect(open(handle(sameAsA), true)).toBe(PASSTHROUGH);
  expect(calls.open.size).toBe(1);
});

test("another backing file does not fit this node", () => {
  open(handle(a), false);
  expect(modes.fits(node, handle(b))).toBe(false);
  expect(open(handle(b), false)).toBeUndefined();
});

test("chooseDirect() fits every mode", () => {
  expect(modes.chooseDirect(node, true).openFlags).toBe(DIRECT_IO);
  open(handle(undefined), false);
  expect(modes.chooseDirect(node, false).openFlags).toBe(DIRECT_IO | NOFLUSH);
  node = new Node(3, undefined, "g", stat);
  open(handle(a), false);
  expect(modes.chooseDirect(node, false).openFlags).toBe(PASSTHROUGH | DIRECT_IO | NOFLUSH);
});

test("the last release of a mode frees the node for the other one, and the id", () => {
  open(handle(a), false);
  open(handle(a), false);
  modes.released(node, "passthrough");
  expect(open(handle(b), false)).toBeUndefined();
  modes.released(node, "passthrough");
  expect(calls.open.size).toBe(0);
  expect(open(handle(undefined), false)).toBe(NOFLUSH);
  modes.released(node, "cached");
  expect(open(handle(b), false)).toBe(PASSTHROUGH | NOFLUSH);
});

test("a setuid file is not written in passthrough", () => {
  expect(open(handle(a, FileType.file | 0o4755), true)).toBe(0);
  node = new Node(3, undefined, "g", stat);
  expect(open(handle(a, FileType.file | 0o4755), false)).toBe(PASSTHROUGH | NOFLUSH);
});

test("EPERM ends passthrough, ELOOP is that file's alone; both fall back to cached", () => {
  calls.refusal = "ELOOP";
  expect(open(handle(a), true)).toBe(0);
  expect(modes.isEnabled).toBe(true);
  node = new Node(3, undefined, "g", stat);
  calls.refusal = "EPERM";
  expect(open(handle(a), true)).toBe(0);
  expect(modes.isEnabled).toBe(false);
  node = new Node(4, undefined, "h", stat);
  expect(open(handle(a), true)).toBe(0);
  expect(calls.asked).toBe(2);
});
