// The state directory and the cache lie on a file system that notes every write, rename, truncate and fsync. For any
// moment of a random run the directory is built as a kill (everything that the kernel was told) or a power cut
// (everything synced, and an arbitrary subset of the rest) leaves it, beside the bucket of that moment. A core started
// on it has to show what was promised by then, and to bring the bucket to the same.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deserialize } from "node:v8";
import { afterAll, expect, test } from "vitest";
import { type Core, openCore } from "../../src/daemon/mount.ts";
import { FileType } from "../../src/posix/stat.ts";
import { O_RDONLY } from "../../src/posix/open-flags.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { optionsFor } from "../support/core.ts";
import { recordDurability } from "../support/durability-report.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { mountInChild } from "../support/mount/mount-in-child.ts";
import { BucketHistory } from "../support/power-cut/bucket-history.ts";
import { type CutKind, cutDisk } from "../support/power-cut/cut-disk.ts";
import type { DiskOperation } from "../support/power-cut/disk-log.ts";
import { Client, type Promised, type Tree } from "../support/power-cut/workload.ts";
import { Random } from "../support/random.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
/** Recorded runs, and cuts of each kind in each of them. */
const RUNS = Number(process.env["PAILFS_TEST_RUNS"] ?? (isFull ? 20 : 1));
const CUTS = isFull ? 60 : 12;
const CLIENTS = 4;
const STEPS = 40;
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

interface Recording {
  readonly log: readonly DiskOperation[];
  readonly bucket: BucketHistory;
  readonly clients: readonly Client[];
}

/** One random run on a recorded disk. */
async function record(random: Random, folder: string, s3: LoopbackS3): Promise<Recording> {
  const disk = await mountInChild({ recording: true });
  const bucket = new BucketHistory(s3);
  try {
    s3.settings.latencyMs = 2;
    const core = await openCore(optionsFor(s3, disk.mountpoint, {}), { bootId: "first" });
    const driver = fileSystemDriver(core.fileSystem);
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new Client(driver, `/client${i}`, new Random(random.integer(2 ** 31))),
    );
    await Promise.all(clients.map(async (client) => run(client, s3, random)));
    await core.drained();
    await core.close();
    const path = join(folder, "log");
    await disk.command({ do: "dump", path });
    const log = deserialize(await readFile(path)) as DiskOperation[];
    return { log, bucket, clients };
  } finally {
    bucket.end();
    s3.faults.clear();
    s3.settings.latencyMs = 0;
    await disk.stop();
  }
}

async function run(client: Client, s3: LoopbackS3, random: Random): Promise<void> {
  await client.start();
  for (let i = 0; i < STEPS; i += 1) {
    const effect = { kind: "status", status: 503 } as const;
    if (random.chance(5)) s3.faults.add({ effect, times: 1 });
    if (random.chance(5)) s3.faults.add({ effect: { kind: "lostAnswer" }, times: 1 });
    // uploads get their turn now and then
    if (random.chance(10)) await new Promise((resolve) => setTimeout(resolve, 150));
    await client.step();
  }
  await client.end();
}

/** What may be there at a moment: the last promise, or what was asked for and not answered yet. */
function allowed(client: Client, at: bigint): readonly Promised[] {
  const begun = client.history.filter(({ started }) => started <= at);
  const last = begun.findLastIndex(({ ended }) => ended <= at);
  return begun.slice(Math.max(0, last));
}

async function treeOf(driver: PosixDriver, directory: string, below = ""): Promise<Tree> {
  const found = new Map<string, Buffer | "directory">();
  for (const [name, type] of await driver.readdir(`${directory}/${below}`.replace(/\/$/, ""))) {
    const path = below + name;
    if (type === FileType.directory) {
      found.set(path, "directory");
      for (const [inner, value] of await treeOf(driver, directory, `${path}/`))
        found.set(inner, value);
      continue;
    }
    const file = await driver.open(`${directory}/${path}`, O_RDONLY);
    const { size } = await file.stat();
    found.set(path, await file.read(0, size));
    await file.close();
  }
  return found;
}

/** A tree in a form that a failed expectation shows well. */
function shown(tree: Tree): Record<string, string> {
  const text = (value: Buffer | "directory"): string =>
    value === "directory" ? value : `${value.length} bytes ${value.toString("base64", 0, 12)}`;
  const rows = [...tree].map(([path, value]) => [path, text(value)] as const);
  return Object.fromEntries(rows.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isSame(a: Tree, b: Tree): boolean {
  if (a.size !== b.size) return false;
  for (const [path, value] of a) {
    const other = b.get(path);
    if (value === "directory" ? other !== value : !(other instanceof Buffer && value.equals(other)))
      return false;
  }
  return true;
}

interface Cut {
  readonly recording: Recording;
  readonly count: number;
  readonly kind: CutKind;
  readonly random: Random;
  readonly s3: LoopbackS3;
}

/** Builds the disk of one moment, starts on it and checks the promise. */
async function check({ recording, count, kind, random, s3 }: Cut): Promise<void> {
  const at = recording.log[count - 1]?.at ?? 0n;
  const folder = await mkdtemp(join(tmpdir(), "pailfs-cut-"));
  let core: Core | undefined;
  try {
    const disk = cutDisk(recording.log, count, kind, random);
    lostOperations += disk.lost;
    await disk.writeTo(folder);
    recording.bucket.restore(s3, at);
    const options = optionsFor(s3, folder, {});
    if (random.chance(50)) await rm(options.cache.directory, { recursive: true, force: true });
    core = await openCore(options, { bootId: kind === "kill" ? "first" : "second" });
    pendingWork += core.status().queue.length;
    const driver = fileSystemDriver(core.fileSystem);
    const trees = new Map<string, Tree>();
    for (const client of recording.clients) {
      const choices = allowed(client, at);
      const name = client.directory.slice(1);
      const isThere = (await driver.readdir("/")).has(name);
      const [first] = choices;
      if (first === undefined || (!isThere && first.ended > at)) continue;
      expect(isThere, client.directory).toBe(true);
      const tree = await treeOf(driver, client.directory);
      trees.set(name, tree);
      if (choices.some((choice) => isSame(choice.tree, tree))) continue;
      const steps = choices.map(({ what }) => what).join(", ");
      expect(shown(tree), `${client.directory} after "${steps}"`).toEqual(shown(first.tree));
    }
    await core.drained();
    for (const [name, tree] of trees) checkBucket(s3, name, tree);
    expect(core.status().queue).toEqual({ length: 0, bytes: 0, refused: 0 });
  } finally {
    await core?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function checkBucket(s3: LoopbackS3, name: string, tree: Tree): void {
  const { objects } = s3.bucket;
  const found = new Map<string, Buffer>();
  for (const key of objects.keys.filter((key) => key.startsWith(`${name}/`))) {
    const body = objects.get(key)?.body;
    if (body?.kind !== "memory") throw new Error(`${key} is not in memory`);
    found.set(key.slice(name.length + 1), Buffer.concat(body.chunks));
  }
  const files = new Map([...tree].filter(([, value]) => value !== "directory"));
  if (!isSame(found, files)) expect(shown(found), `bucket of ${name}`).toEqual(shown(files));
}

test.each(Array.from({ length: RUNS }, (_, i) => seed + i))(
  "whatever a kill or a power cut leaves, what was promised is there (seed %i)",
  async (runSeed) => {
    const random = new Random(runSeed);
    const folder = await mkdtemp(join(tmpdir(), "pailfs-record-"));
    const s3 = await LoopbackS3.start();
    try {
      const recording = await record(random, folder, s3);
      // guards: a run that writes and syncs little proves nothing
      const syncs = recording.log.filter((operation) => operation.do === "sync").length;
      expect(syncs).toBeGreaterThan(STEPS);
      for (let i = 0; i < 2 * CUTS; i += 1) {
        const kind = i % 2 === 0 ? "power" : "kill";
        const count = 1 + random.integer(recording.log.length);
        const cutSeed = random.integer(2 ** 31);
        tried[kind] += 1;
        const cut = { recording, count, kind, random: new Random(cutSeed), s3 } as const;
        await check(cut).catch((error: unknown) => {
          failed[kind] += 1;
          const where = `${kind} after ${count} of ${recording.log.length} disk operations`;
          throw new Error(`${where}, cut seed ${cutSeed}`, { cause: error });
        });
      }
      expect(pendingWork).toBeGreaterThan(0);
      expect(lostOperations).toBeGreaterThan(0);
    } finally {
      await s3.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
  isFull ? 300_000 : 120_000,
);
