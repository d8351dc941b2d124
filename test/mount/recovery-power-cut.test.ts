// The state directory and the cache lie on a file system that notes every write, rename, truncate and fsync. For any
// moment of a random run the directory is built as a kill (everything that the kernel was told) or a power cut
// (everything synced, and an arbitrary subset of the rest) leaves it, beside the bucket of that moment. A core started
// on it has to show what was promised by then, and to bring the bucket to the same.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { recordDurability } from "../support/durability-report.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { type Checked, checkCut, type Cut } from "../support/power-cut/check-cut.ts";
import { keepCut, keptCuts, packCut, readCut, unpackCut } from "../support/power-cut/kept-cuts.ts";
import { record, STEPS } from "../support/power-cut/recording.ts";
import { Random } from "../support/random.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
/** Recorded runs, a multiple of the modes below, and cuts of each kind in each of them. */
const RUNS = Number(process.env["PAILFS_TEST_RUNS"] ?? (isFull ? 28 : 4));
const CUTS = isFull ? 60 : 4;
/** Mount options of the runs, in turn. */
const MODES: readonly Readonly<Record<string, string>>[] = [
  {},
  { sharing: "exclusive" },
  { metadata: "object" },
  { "delete-delay": "1h" },
];
const seed = Number(process.env["PAILFS_TEST_SEED"] ?? Date.now() % 1_000_000);

const tried = { kill: 0, power: 0 };
const failed = { kill: 0, power: 0 };
let pendingWork = 0;
let lostOperations = 0;

afterAll(async () => {
  const promise =
    "every acknowledged change is there, nothing is torn, the bucket comes to the same";
  await recordDurability({
    event: "power cut at any disk operation",
    promise,
    tried: tried.power,
    failed: failed.power,
    note: `seed ${seed}; ${lostOperations} unsynced operations lost or torn`,
  });
  await recordDurability({
    event: "kill -9 at any disk operation",
    promise,
    tried: tried.kill,
    failed: failed.kill,
    note: `seed ${seed}; ${pendingWork} operations were pending at the starts after both`,
  });
});

/** Counts for the table; a cut that fails is kept as a case. */
async function tryCut(cut: Cut, s3: LoopbackS3): Promise<void> {
  const { kind, count, recording } = cut;
  tried[kind] += 1;
  let checked: Checked;
  try {
    checked = await checkCut(cut, s3);
  } catch (error) {
    failed[kind] += 1;
    const where = `${kind} after ${count} of ${recording.log.length} disk operations`;
    const path = await keepCut(`${kind}-${cut.seed}`, cut);
    throw new Error(`${where}, ${JSON.stringify(recording.options)}; kept in ${path}`, {
      cause: error,
    });
  }
  pendingWork += checked.pending;
  lostOperations += checked.lost;
}

const kept = await keptCuts();

test.runIf(kept.length > 0)("cuts that failed once hold now", async () => {
  const s3 = await LoopbackS3.start();
  try {
    for (const name of kept) await checkCut(await readCut(name), s3);
  } finally {
    await s3.close();
  }
});

/** The same cut with a file that nobody wrote among what each client was promised. */
function withBrokenPromise(cut: Cut): Cut {
  const clients = cut.recording.clients.map(({ directory, history }) => ({
    directory,
    history: history.map((promised) => ({
      ...promised,
      tree: new Map([...promised.tree, ["never-written", Buffer.from("x")]]),
    })),
  }));
  return { ...cut, recording: { ...cut.recording, clients } };
}

test.each(Array.from({ length: RUNS }, (_, i) => seed + i))(
  "whatever a kill or a power cut leaves, what was promised is there (seed %i)",
  async (runSeed) => {
    const random = new Random(runSeed);
    const folder = await mkdtemp(join(tmpdir(), "pailfs-record-"));
    const s3 = await LoopbackS3.start();
    try {
      const options = MODES[(runSeed - seed) % MODES.length] ?? {};
      const recording = await record(options, random, folder, s3);
      // guards: a run that writes and syncs little proves nothing
      const syncs = recording.log.filter((operation) => operation.do === "sync").length;
      expect(syncs).toBeGreaterThan(STEPS);
      for (let i = 0; i < 2 * CUTS; i += 1) {
        const kind = i % 2 === 0 ? "power" : "kill";
        const count = 1 + random.integer(recording.log.length);
        await tryCut({ recording, count, kind, seed: random.integer(2 ** 31) }, s3);
      }
      // guard: what a failure would leave can be replayed, and finds what is missing
      const last = { recording, count: recording.log.length, kind: "kill", seed: 1 } as const;
      const kept = await unpackCut(await packCut(last));
      await checkCut(kept, s3);
      await expect(checkCut(withBrokenPromise(kept), s3)).rejects.toThrow(/^\/client\d after /);
      expect(pendingWork).toBeGreaterThan(0);
      expect(lostOperations).toBeGreaterThan(0);
    } finally {
      await s3.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
  isFull ? 300_000 : 120_000,
);
