import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { expect, test } from "vitest";
import type { MountState } from "../../../src/state/mount-state.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { fileEntry, directoryAttributes, namesOf } from "./entries.ts";

const identity = "https://s3.example/bucket:prefix";

/** Runs with an open state; `reopen` closes it and opens it again, in another boot if asked. */
async function withState(
  run: (
    state: MountState,
    reopen: (bootId?: string) => Promise<MountState>,
    directory: string,
  ) => Promise<void>,
): Promise<void> {
  const { path, cleanup } = await dir({ unsafeCleanup: true });
  const directory = join(path, "state");
  let state = await openMountState({ directory, identity });
  try {
    await run(
      state,
      async (bootId) => {
        await state.close();
        state = await openMountState({
          directory,
          identity,
          ...(bootId === undefined ? {} : { bootId }),
        });
        return state;
      },
      directory,
    );
  } finally {
    await state.close();
    await cleanup();
  }
}

test("mutate() shows a name when it returns, and keeps it over a restart", async () => {
  await withState(async (state, reopen) => {
    const entry = fileEntry({
      ino: state.nextIno(),
      etag: "abc",
      xattrs: { "user.a": Buffer.from([0, 255]) },
    });
    const durable = state.mutate({ names: [{ parent: 1, name: "ä", entry }] });
    expect(state.get(1, "ä")).toBe(entry);
    await durable;
    await state.sync();
    expect(state.get(1, "ä")).toEqual({ ...entry, xattrs: { "user.a": new Uint8Array([0, 255]) } });
    const again = await reopen();
    expect(again.get(1, "ä")).toEqual({ ...entry, xattrs: { "user.a": new Uint8Array([0, 255]) } });
    expect(again.rebuilt).toBe(false);
  });
});

test.each([undefined, 1_800_000_000_000, Infinity])(
  "an entry keeps when it was described, listed until %s",
  async (listedUntil) => {
    await withState(async (state, reopen) => {
      const listed = listedUntil === undefined ? {} : { listedUntil };
      const marks = { describedAt: 1_700_000_000, marker: true, folderMarker: true, ...listed };
      const entry = fileEntry({ ino: state.nextIno(), ...marks });
      await state.mutate({ names: [{ parent: 1, name: "a", entry }] });
      await state.sync();
      const again = await reopen();
      expect(again.get(1, "a")).toEqual(entry);
    });
  },
);

test("mutate() removes names, at once and for good", async () => {
  await withState(async (state, reopen) => {
    state.learn([{ parent: 1, name: "a", entry: fileEntry({ ino: state.nextIno() }) }]);
    await state.sync();
    const durable = state.mutate({ names: [{ parent: 1, name: "a", entry: undefined }] });
    expect(state.get(1, "a")).toBeUndefined();
    expect(state.hasChildren(1)).toBe(false);
    await durable;
    const again = await reopen();
    expect(again.get(1, "a")).toBeUndefined();
  });
});

test("learn() and mutate() of one name leave the later of both", async () => {
  await withState(async (state, reopen) => {
    const name = "a";
    const sizes = [1, 2, 3, 4];
    const durable: Promise<void>[] = [];
    for (const size of sizes) {
      const change = { parent: 1, name, entry: fileEntry({ ino: 10, size }) };
      if (size % 2 === 0) state.learn([change]);
      else durable.push(state.mutate({ names: [change] }));
      expect(state.get(1, name)?.size).toBe(size);
    }
    await Promise.all(durable);
    expect(state.get(1, name)?.size).toBe(4);
    await state.sync();
    expect(state.get(1, name)?.size).toBe(4);
    expect((await reopen()).get(1, name)?.size).toBe(4);
  });
});

test("sync() may find nothing to do, any number of times", async () => {
  await withState(async (state) => {
    for (let i = 0; i < 3; i++) {
      await Promise.all([state.sync(), state.sync()]);
      state.learn([{ parent: 1, name: `n${i}`, entry: fileEntry({ ino: i }) }]);
      await state.mutate({ names: [{ parent: 1, name: `m${i}`, entry: fileEntry({ ino: i }) }] });
      await state.sync();
    }
    await state.sync();
    expect(namesOf(state, 1)).toEqual(["m0", "m1", "m2", "n0", "n1", "n2"]);
  });
});

test("children() merges pending and stored names in bytewise order", async () => {
  await withState(async (state) => {
    const stored = ["b", "a", "\u{ff5e}", "\u{1f600}", "Z", "a0", "a/".slice(0, 1) + "!", "é"];
    const pending = ["c", "\u{ffff}", "\u{10000}", "", "ab"].filter((name) => name !== "");
    const entry = fileEntry({ ino: 5 });
    state.learn(stored.map((name) => ({ parent: 7, name, entry })));
    state.learn([
      { parent: 6, name: "before", entry },
      { parent: 8, name: "after", entry },
    ]);
    await state.sync();
    void state.mutate({ names: pending.map((name) => ({ parent: 7, name, entry })) });
    void state.mutate({ names: [{ parent: 7, name: "b", entry: undefined }] });
    const wanted = [...stored, ...pending]
      .filter((name) => name !== "b")
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(namesOf(state, 7)).toEqual(wanted);
    await state.sync();
    expect(namesOf(state, 7)).toEqual(wanted);
    expect(namesOf(state, 9)).toEqual([]);
  });
});

test("children() survives changes between two steps of the iteration", async () => {
  await withState(async (state) => {
    const names = Array.from({ length: 3000 }, (_, i) => `n${String(i).padStart(5, "0")}`);
    state.learn(names.map((name, i) => ({ parent: 1, name, entry: fileEntry({ ino: i + 2 }) })));
    await state.sync();
    const seen: string[] = [];
    for (const [name] of state.children(1)) {
      seen.push(name);
      if (seen.length % 500 === 0) {
        state.learn([{ parent: 1, name, entry: undefined }]);
        await state.sync();
      }
    }
    expect(seen).toEqual(names);
  });
});

test("localAttributes() follow set, move of a subtree and removal", async () => {
  await withState(async (state, reopen) => {
    const long = `/a/${"x".repeat(250)}/${"y".repeat(250)}/${"ü".repeat(120)}`.repeat(4);
    const paths = ["/a", "/a/b", `/a${long}`, "/ab", "/a.c", "/z", "/z/old"];
    for (const [i, path] of paths.entries()) {
      await state.mutate({ attributes: [{ path, attributes: directoryAttributes(i) }] });
    }
    void state.mutate({
      attributes: [{ path: "/a/pending", attributes: directoryAttributes(50) }],
    });
    const moved = state.mutate({ moveAttributes: [{ from: "/a", to: "/z" }] });
    const check = (current: MountState): void => {
      expect(current.localAttributes("/z")?.uid).toBe(0);
      expect(current.localAttributes("/z/b")?.uid).toBe(1);
      expect(current.localAttributes(`/z${long}`)?.uid).toBe(2);
      expect(current.localAttributes("/z/pending")?.uid).toBe(50);
      expect(current.localAttributes("/ab")?.uid).toBe(3);
      expect(current.localAttributes("/a.c")?.uid).toBe(4);
      for (const gone of ["/a", "/a/b", `/a${long}`, "/a/pending", "/z/old"]) {
        expect(current.localAttributes(gone)).toBeUndefined();
      }
    };
    check(state);
    await moved;
    check(state);
    const again = await reopen();
    check(again);
    await again.mutate({ attributes: [{ path: `/z${long}`, attributes: undefined }] });
    expect(again.localAttributes(`/z${long}`)).toBeUndefined();
  });
});

test("pending() lists the queue in order of seq, and seq goes on after a restart", async () => {
  await withState(async (state, reopen) => {
    const seqs = Array.from({ length: 600 }, () => state.nextSeq());
    await Promise.all(
      seqs.map(async (seq) =>
        state.mutate({ enqueue: [{ seq, record: { kind: "delete", key: `k${seq}` } }] }),
      ),
    );
    await state.mutate({ dequeue: seqs.slice(0, 300) });
    const again = await reopen();
    expect([...again.pending()].map(({ seq }) => seq)).toEqual(seqs.slice(300));
    expect([...again.pending()][0]?.record).toEqual({ kind: "delete", key: `k${seqs[300]}` });
    expect(again.nextSeq()).toBeGreaterThan(seqs.at(-1) ?? Infinity);
  });
});

test("nextIno() never gives a number twice over restarts", async () => {
  await withState(async (state, reopen) => {
    const first = Array.from({ length: 5000 }, () => state.nextIno());
    const again = await reopen();
    const second = again.nextIno();
    expect(second).toBeGreaterThan(Math.max(...first));
    expect(Math.min(...first)).toBeGreaterThan(1);
  });
});

test("mutate() rejects a name that no key can hold, and changes nothing", async () => {
  await withState(async (state) => {
    const change = { parent: 1, name: "x".repeat(2000), entry: fileEntry({ ino: 3 }) };
    await expect(state.mutate({ names: [change] })).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    expect(state.get(1, change.name)).toBeUndefined();
  });
});

test("openMountState() refuses the state of another mount", async () => {
  await withState(async (state, _reopen, directory) => {
    await state.close();
    await expect(openMountState({ directory, identity: "other" })).rejects.toThrow(
      `belongs to ${identity}, wanted other`,
    );
  });
});

test("100,000 names stay readable and in order", async () => {
  await withState(async (state, reopen) => {
    const names = Array.from({ length: 100_000 }, (_, i) => `f${i}`);
    for (let i = 0; i < names.length; i += 1000) {
      const part = names.slice(i, i + 1000);
      state.learn(
        part.map((name, j) => ({ parent: 3, name, entry: fileEntry({ ino: 2, size: i + j }) })),
      );
    }
    const sorted = names.toSorted();
    expect(namesOf(state, 3)).toEqual(sorted);
    const again = await reopen();
    expect(namesOf(again, 3)).toEqual(sorted);
    for (let i = 0; i < names.length; i += 997) expect(again.get(3, `f${i}`)?.size).toBe(i);
  });
});

const complete = { complete: true, unknown: [7] };

test("cover() is kept over a restart, and lost with the index", async () => {
  await withState(async (state, reopen) => {
    expect(state.coverage).toBeUndefined();
    state.learn([{ parent: 1, name: "a", entry: fileEntry({ ino: state.nextIno() }) }]);
    state.cover(complete);
    expect(state.coverage).toEqual(complete);
    const again = await reopen();
    expect(again.coverage).toEqual(complete);
    await again.mutate({ names: [{ parent: 1, name: "b", entry: undefined }] });
    const third = await reopen();
    expect(third.coverage).toEqual(complete);
    third.cover(undefined);
    expect((await reopen()).coverage).toBeUndefined();
  });
});

test("a power cut takes coverage away together with the names", async () => {
  await withState(async (state, _reopen, directory) => {
    state.learn([{ parent: 1, name: "a", entry: fileEntry({ ino: state.nextIno() }) }]);
    state.cover(complete);
    await state.sync();
    // copied while open, opened in another boot
    const copy = `${directory}-copy`;
    await cp(directory, copy, { recursive: true });
    for (const name of ["journal", "index"]) await rm(join(copy, `${name}.mdb-lock`));
    const cut = await openMountState({ directory: copy, identity, bootId: "another" });
    const found = { coverage: cut.coverage, names: namesOf(cut, 1) };
    await cut.close();
    expect(found).toEqual({ coverage: undefined, names: [] });
    await rm(copy, { recursive: true });
  });
});

test("children() may start behind a name, pending or stored", async () => {
  await withState(async (state) => {
    const learn = (names: string[]): void =>
      state.learn(names.map((name) => ({ parent: 7, name, entry: fileEntry({ ino: 5 }) })));
    learn(["a", "c", "e"]);
    await state.sync();
    learn(["b", "d", "f"]);
    const after = (name: string): string[] => Array.from(state.children(7, name), ([n]) => n);
    expect(after("")).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(after("c")).toEqual(["d", "e", "f"]);
    expect(after("d")).toEqual(["e", "f"]);
    expect(after("ca")).toEqual(["d", "e", "f"]);
    expect(after("f")).toEqual([]);
  });
});

test("room() waits while very many names are only in memory", async () => {
  await withState(async (state) => {
    expect(state.room()).toBeUndefined();
    const names = Array.from({ length: 20_000 }, (_, i) => `n${i}`);
    state.learn(names.map((name) => ({ parent: 7, name, entry: fileEntry({ ino: 5 }) })));
    await state.room();
    expect(state.room()).toBeUndefined();
    expect(state.get(7, "n19999")).toBeDefined();
  });
});
