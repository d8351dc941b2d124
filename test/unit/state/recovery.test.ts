import { execFileSync } from "node:child_process";
import { cp, mkdir, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FsError } from "../../../src/posix/errno.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { setLogLevel } from "../../../src/log.ts";
import { Environment } from "../../../src/lmdb/environment.ts";
import type { MountState } from "../../../src/state/mount-state.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { directoryAttributes, fileEntry, namesOf } from "./entries.ts";

const identity = "test";
let temporary: { path: string; cleanup(): Promise<void> };
let directory: string;
let openStates: MountState[] = [];

beforeEach(async () => {
  // what is tested here is logged at these levels
  setLogLevel("error");
  temporary = await dir({ unsafeCleanup: true });
  directory = join(temporary.path, "state");
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const state of openStates) await state.close();
  openStates = [];
  await temporary.cleanup();
  setLogLevel("info");
});

async function openState(
  options: { directory?: string; bootId?: string } = {},
): Promise<MountState> {
  const state = await openMountState({ directory, identity, ...options });
  openStates.push(state);
  return state;
}

/** What a killed daemon would leave: the files as the kernel has them now. */
async function killedCopy(): Promise<string> {
  const copy = `${directory}-killed`;
  await cp(directory, copy, { recursive: true });
  for (const name of ["journal", "index"]) await rm(join(copy, `${name}.mdb-lock`));
  return copy;
}

/** Lets commits to one file fail from now on. */
function failCommits(file: string, code: "ENOSPC" | "EIO"): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with its object below
  const commit = Environment.prototype.commit;
  vi.spyOn(Environment.prototype, "commit").mockImplementation(async function (
    this: Environment,
    puts,
  ) {
    if (this.path.endsWith(file)) throw new FsError(code, "injected");
    return commit.call(this, puts);
  });
}

test("a failed commit rejects all that was waiting and takes their names and attributes back", async () => {
  const state = await openState();
  const before = fileEntry({ ino: 10, size: 1 });
  await state.mutate({
    names: [{ parent: 1, name: "old", entry: before }],
    attributes: [{ path: "/d", attributes: directoryAttributes(1) }],
  });
  failCommits("journal.mdb", "ENOSPC");
  const failing = [
    state.mutate({
      names: [
        { parent: 1, name: "old", entry: fileEntry({ size: 2 }) },
        { parent: 1, name: "new", entry: fileEntry({ size: 2 }) },
      ],
      moveAttributes: [{ from: "/d", to: "/e" }],
    }),
    state.mutate({ names: [{ parent: 1, name: "old", entry: undefined }] }),
    state.mutate({ names: [{ parent: 1, name: "other", entry: fileEntry({ size: 3 }) }] }),
  ];
  state.learn([{ parent: 1, name: "other", entry: fileEntry({ size: 4 }) }]);
  expect(state.get(1, "old")).toBeUndefined();
  for (const result of await Promise.allSettled(failing)) {
    expect(result).toMatchObject({ status: "rejected", reason: { code: "ENOSPC" } });
  }
  expect(state.get(1, "old")?.size).toBe(1);
  expect(state.get(1, "new")).toBeUndefined();
  expect(state.get(1, "other")?.size).toBe(4);
  expect(state.localAttributes("/d")).toEqual(directoryAttributes(1));
  expect(state.localAttributes("/e")).toBeUndefined();
  vi.restoreAllMocks();
  await state.mutate({ names: [{ parent: 1, name: "new", entry: fileEntry({ size: 5 }) }] });
  await state.sync();
  expect(namesOf(state, 1)).toEqual(["new", "old", "other"]);
});

test("after an I/O error of the journal nothing is accepted any more", async () => {
  const state = await openState();
  failCommits("journal.mdb", "EIO");
  await expect(state.mutate({ dequeue: [1] })).rejects.toMatchObject({ code: "EIO" });
  vi.restoreAllMocks();
  await expect(state.mutate({ dequeue: [1] })).rejects.toMatchObject({ code: "EIO" });
  await expect(state.close()).rejects.toMatchObject({ code: "EIO" });
  openStates = [];
});

test.skipIf(process.getuid?.() !== 0)(
  "a full disk rejects with ENOSPC and leaves the state usable",
  async () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const small = join(temporary.path, "small");
    await mkdir(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", small]);
    try {
      const state = await openState({ directory: join(small, "state") });
      const failures: unknown[] = [];
      let written = 0;
      for (; failures.length === 0; written++) {
        const xattrs = { "user.a": new Uint8Array(60_000) };
        const entry = fileEntry({ ino: written, xattrs });
        await state
          .mutate({ names: [{ parent: 1, name: `f${written}`, entry }] })
          .catch((error: unknown) => failures.push(error));
      }
      expect(failures[0]).toMatchObject({ code: "ENOSPC" });
      expect(state.get(1, `f${written - 1}`)).toBeUndefined();
      expect(state.get(1, `f${written - 2}`)?.ino).toBe(written - 2);
      execFileSync("mount", ["-o", "remount,size=32m", small]);
      await state.mutate({ names: [{ parent: 1, name: "after", entry: fileEntry({ ino: 7 }) }] });
      await state.sync();
      expect(namesOf(state, 1)).toHaveLength(written);
      await state.close();
    } finally {
      execFileSync("umount", ["--lazy", small]);
    }
  },
);

test("names that only the journal has are in the index after a kill", async () => {
  const state = await openState({ bootId: "one" });
  await state.mutate({ names: [{ parent: 1, name: "a", entry: fileEntry({ size: 1 }) }] });
  await state.sync();
  failCommits("index.mdb", "ENOSPC");
  await state.mutate({ names: [{ parent: 1, name: "b", entry: fileEntry({ size: 2 }) }] });
  await state.mutate({ names: [{ parent: 1, name: "a", entry: undefined }] });
  await expect(state.sync()).rejects.toMatchObject({ code: "EIO" });
  expect(namesOf(state, 1)).toEqual(["b"]);
  const copy = await killedCopy();
  vi.restoreAllMocks();
  const recovered = await openState({ directory: copy, bootId: "one" });
  expect(recovered.rebuilt).toBe(false);
  expect(namesOf(recovered, 1)).toEqual(["b"]);
});

test("redo records leave the journal once the index has them", async () => {
  const state = await openState();
  for (let round = 0; round < 30; round++) {
    const entry = fileEntry({ xattrs: { "user.a": new Uint8Array(100_000) } });
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) =>
        state.mutate({ names: [{ parent: 1, name: `f${i}`, entry }] }),
      ),
    );
    await state.sync();
  }
  // 30 MB went through it
  expect((await stat(join(directory, "journal.mdb"))).size).toBeLessThan(8_000_000);
});

test("after a power cut the index is built anew from what only this host knows", async () => {
  const state = await openState({ bootId: "one" });
  const link = { mode: FileType.symlink | 0o777, uid: 1, gid: 2, target: "../x", mtime: 5n };
  await state.mutate({
    names: [{ parent: 1, name: "file", entry: fileEntry({ size: 1 }) }],
    attributes: [
      { path: "/", attributes: directoryAttributes(9) },
      { path: "/dir", attributes: directoryAttributes(7) },
      { path: "/deep/er/link", attributes: link },
      { path: "/file", attributes: { mode: FileType.file | 0o600, uid: 3, gid: 4 } },
    ],
    enqueue: [{ seq: state.nextSeq(), record: { kind: "delete", key: "k" } }],
  });
  state.learn([{ parent: 1, name: "learnt", entry: fileEntry({ ino: state.nextIno() }) }]);
  await state.sync();
  const lastIno = state.nextIno();
  const copy = await killedCopy();
  const recovered = await openState({ directory: copy, bootId: "two" });
  expect(recovered.rebuilt).toBe(true);
  expect(recovered.get(0, "")).toMatchObject({ ino: 1, uid: 9, local: true });
  expect(namesOf(recovered, 1)).toEqual(["deep", "dir"]);
  const deep = recovered.get(1, "deep");
  const deeper = recovered.get(deep?.ino ?? 0, "er");
  expect(recovered.get(1, "dir")).toMatchObject({ uid: 7, local: true, until: Infinity });
  expect(recovered.get(deeper?.ino ?? 0, "link")).toMatchObject({ target: "../x", mtime: 5n });
  expect(deep?.ino).toBeGreaterThan(lastIno);
  expect(recovered.localAttributes("/file")?.uid).toBe(3);
  expect([...recovered.pending()].map(({ record }) => record)).toEqual([
    { kind: "delete", key: "k" },
  ]);
  await recovered.mutate({ names: [{ parent: 1, name: "later", entry: fileEntry({}) }] });
  await recovered.close();
  const again = await openState({ directory: copy, bootId: "three" });
  expect(again.rebuilt).toBe(false);
  expect(namesOf(again, 1)).toEqual(["deep", "dir", "later"]);
});

test.each([
  ["is missing", async (path: string) => rm(path)],
  ["is empty", async (path: string) => writeFile(path, "")],
  ["is garbage", async (path: string) => writeFile(path, "x".repeat(100_000))],
  ["is truncated", async (path: string) => truncate(path, 16_384)],
  ["has a damaged page", async (path: string) => damagePages(path)],
])("an index that %s is built anew", async (_, damage) => {
  const state = await openState({ bootId: "one" });
  await state.mutate({ attributes: [{ path: "/d", attributes: directoryAttributes(1) }] });
  learnMany(state);
  await state.sync();
  const copy = await killedCopy();
  await damage(join(copy, "index.mdb"));
  const recovered = await openState({ directory: copy, bootId: "one" });
  expect(recovered.rebuilt).toBe(true);
  expect(namesOf(recovered, 1)).toEqual(["d"]);
});

test.each([
  ["is empty", ""],
  ["is garbage", "x".repeat(100_000)],
])("an index that was closed in order and %s is built anew", async (_, content) => {
  const state = await openState();
  await state.mutate({ attributes: [{ path: "/d", attributes: directoryAttributes(1) }] });
  await state.close();
  await writeFile(join(directory, "index.mdb"), content);
  const again = await openState();
  expect(again.rebuilt).toBe(true);
  expect(namesOf(again, 1)).toEqual(["d"]);
});

test.each([
  ["is empty", async (path: string) => writeFile(path, "")],
  ["is garbage", async (path: string) => writeFile(path, "x".repeat(100_000))],
  ["is truncated", async (path: string) => truncate(path, 16_384)],
  ["has a damaged page", async (path: string) => damagePages(path)],
  [
    "has a flipped bit in a queue record",
    async (path: string) => flip(path, "needle-in-the-queue"),
  ],
])("a journal that %s is refused in one line and not touched", async (_, damage) => {
  const state = await openState();
  await state.mutate({
    enqueue: [
      { seq: state.nextSeq(), record: { kind: "delete", key: "needle-in-the-queue" } },
      ...Array.from({ length: 300 }, (_, i) => ({
        seq: state.nextSeq(),
        record: { kind: "delete" as const, key: `k${i}` },
      })),
    ],
  });
  await state.close();
  const path = join(directory, "journal.mdb");
  await damage(path);
  const damaged = await readFile(path);
  await expect(openState()).rejects.toThrow(/^Cannot use the journal ".*move it .* away[^\n]*$/);
  expect(damaged.equals(await readFile(path))).toBe(true);
});

test("a flipped bit in local attributes loses those alone", async () => {
  const state = await openState();
  await state.mutate({
    attributes: [
      { path: "/a", attributes: { ...directoryAttributes(1), target: "needle-in-a" } },
      { path: "/b", attributes: directoryAttributes(2) },
    ],
  });
  await state.close();
  await flip(join(directory, "journal.mdb"), "needle-in-a");
  setLogLevel("error");
  const again = await openState();
  expect(again.localAttributes("/a")).toBeUndefined();
  expect(again.localAttributes("/b")?.uid).toBe(2);
});

test("a journal of a newer schema is refused", async () => {
  const state = await openState();
  await state.close();
  const { Journal } = await import("../../../src/state/journal.ts");
  const journal = new Journal(new Environment(join(directory, "journal.mdb"), { durable: true }));
  journal.readMeta();
  journal.updateMeta({ schema: 99 });
  await journal.append({ attributes: [], enqueue: [], dequeue: [] });
  await journal.close();
  await expect(openState()).rejects.toThrow("a newer pailfs wrote it (schema 99");
});

function learnMany(state: MountState): void {
  state.learn(
    Array.from({ length: 2000 }, (_, i) => ({
      parent: 5,
      name: `n${i}`,
      entry: fileEntry({ ino: i }),
    })),
  );
}

/** Overwrites every page but the two of the header. */
async function damagePages(path: string): Promise<void> {
  const { size } = await stat(path);
  const file = await open(path, "r+");
  await file.write(Buffer.alloc(size - 8192, 0xa5), 0, size - 8192, 8192);
  await file.close();
}

/** Flips a bit in every occurrence of `text`. */
async function flip(path: string, text: string): Promise<void> {
  const bytes = await readFile(path);
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) {
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  }
  await writeFile(path, bytes);
}
