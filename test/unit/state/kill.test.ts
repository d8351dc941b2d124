import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { dir } from "tmp-promise";
import { expect, test } from "vitest";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { compileInto } from "./compile.ts";

// Writes numbered files for ever, ten at a time, and prints each number once it was promised.
const child = `
import { writeSync } from "node:fs";
import { openMountState } from "./state/open-mount-state.js";
const [directory, first] = process.argv.slice(2);
const state = await openMountState({ directory, identity: "test" });
let next = Number(first);
async function writer() {
  for (;;) {
    const i = next++;
    const ino = state.nextIno();
    const entry = { ino, generation: 1, mode: 0o100644, uid: 0, gid: 0, rdev: 0, size: i, atime: 1n, mtime: 1n, ctime: 1n, until: Infinity };
    const name = "f" + i;
    const seq = state.nextSeq();
    await state.mutate({
      names: [{ parent: 1, name, entry }, { parent: 1, name: "latest", entry }],
      attributes: [{ path: "/" + name, attributes: { mode: 0o100600, uid: i, gid: 0 } }],
      enqueue: [{ seq, record: { kind: "put", key: name, staged: String(i), size: i } }],
    });
    writeSync(1, i + "\\n");
    if (i % 7 === 0) state.learn([{ parent: 2, name: "l" + i, entry }]);
  }
}
for (let i = 0; i < 10; i++) void writer();
`;

/** Runs the child until it was killed; resolves to the highest number that it printed. */
async function runAndKill(program: string, directory: string, first: number): Promise<number> {
  const running = spawn(process.execPath, [program, directory, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(running, "exit");
  let highest = first - 1;
  const started = new Promise<void>((resolve) => {
    createInterface({ input: running.stdout }).on("line", (line) => {
      highest = Math.max(highest, Number(line));
      resolve();
    });
  });
  await Promise.race([started, exited]);
  await delay(Math.random() * 150);
  running.kill("SIGKILL");
  await exited;
  return highest;
}

test(
  "kill -9 at any moment loses no acknowledged change and leaves an ordered prefix",
  { timeout: 60_000 },
  async () => {
    const { path, cleanup } = await dir({ unsafeCleanup: true });
    try {
      const compiled = join(path, "compiled");
      await compileInto(compiled, ["state/open-mount-state.ts"]);
      const program = join(compiled, "child.js");
      await writeFile(program, child);
      const directory = join(path, "state");
      let first = 0;
      const inos = new Set<number>();
      for (let round = 0; round < 8; round++) {
        const acknowledged = await runAndKill(program, directory, first);
        const state = await openMountState({ directory, identity: "test" });
        expect(state.rebuilt).toBe(false);
        let count = first;
        for (let entry = state.get(1, `f${count}`); entry; entry = state.get(1, `f${++count}`)) {
          expect(entry.size).toBe(count);
          expect(inos.has(entry.ino)).toBe(false);
          inos.add(entry.ino);
        }
        expect(count).toBeGreaterThan(acknowledged);
        const names = [...state.children(1)].map(([name]) => name);
        expect(names).toHaveLength(count + 1);
        expect(state.get(1, "latest")?.size).toBe(count - 1);
        expect(state.localAttributes(`/f${count - 1}`)?.uid).toBe(count - 1);
        expect(state.localAttributes(`/f${count}`)).toBeUndefined();
        expect(
          [...state.pending()].map(({ record }) => record.kind === "put" && record.size),
        ).toEqual(Array.from({ length: count }, (_, i) => i));
        await state.close();
        first = count;
      }
      expect(first).toBeGreaterThan(8);
    } finally {
      await cleanup();
    }
  },
);
