// Starts on the disk that a cut leaves, and compares with what was promised by then.
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { type Core, openCore } from "../../../src/daemon/mount.ts";
import { mountFolderName } from "../../../src/options/mount-folder.ts";
import type { MountOptions } from "../../../src/options/mount-options.ts";
import { O_RDONLY } from "../../../src/posix/open-flags.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { Environment } from "../../../src/lmdb/environment.ts";
import { Journal } from "../../../src/state/journal.ts";
import { findPageDamage } from "../../../src/lmdb/page-check.ts";
import { fileSystemDriver } from "../../posix/file-system-driver.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { optionsFor } from "../core.ts";
import type { LoopbackS3 } from "../loopback-s3/loopback-s3.ts";
import { Random } from "../random.ts";
import { restoreBucket } from "./bucket-history.ts";
import { type CutKind, cutDisk } from "./cut-disk.ts";
import type { ClientHistory, Recording } from "./recording.ts";
import type { Promised, Tree } from "./workload.ts";

/** A recording up to its first `count` disk operations; `seed` decides what got through of those that were not synced. */
export interface Cut {
  readonly recording: Recording;
  readonly count: number;
  readonly kind: CutKind;
  readonly seed: number;
}

/** Operations that the cut lost or tore, and work that was pending at the start. */
export interface Checked {
  readonly lost: number;
  readonly pending: number;
}

/** What may be there at a moment: the last promise, or what was asked for and not answered yet. */
function allowed(client: ClientHistory, at: bigint): readonly Promised[] {
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

/** Another server has another address, which is part of whose state it is: a kept cut is given this one's. */
async function adaptTo({ spool, cache, s3 }: MountOptions, { endpoint }: Recording): Promise<void> {
  if (s3.endpoint === endpoint) return;
  const name = mountFolderName(endpoint, s3.bucket, s3.prefix);
  for (const directory of [spool.stateDirectory, cache.directory]) {
    // not made yet at that moment
    await rename(join(dirname(directory), name), directory).catch(() => undefined);
  }
  const path = join(spool.stateDirectory, "journal.mdb");
  const isWhole = await findPageDamage(path).catch(() => "missing");
  if (isWhole !== undefined) return;
  const journal = new Journal(new Environment(path, { durable: true }));
  const meta = journal.readMeta();
  if (meta !== undefined) {
    journal.setMeta({ ...meta, identity: JSON.stringify([s3.endpoint, s3.bucket, s3.prefix]) });
    await journal.append({ attributes: [], enqueue: [], dequeue: [] });
  }
  await journal.close();
}

/** Builds the disk of one moment, starts on it and checks the promise. */
export async function checkCut(cut: Cut, s3: LoopbackS3): Promise<Checked> {
  const { recording, count, kind, seed } = cut;
  const random = new Random(seed);
  const at = recording.log[count - 1]?.at ?? 0n;
  const folder = await mkdtemp(join(tmpdir(), "pailfs-cut-"));
  let core: Core | undefined;
  try {
    const disk = cutDisk(recording.log, count, kind, random);
    await disk.writeTo(folder);
    restoreBucket(s3, recording.bucket, at);
    const options = optionsFor(s3, folder, recording.options);
    await adaptTo(options, recording);
    if (random.chance(50)) await rm(options.cache.directory, { recursive: true, force: true });
    core = await openCore(options, { bootId: kind === "kill" ? "first" : "second" });
    const pending = core.status().queue.length;
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
    // what was removed is the rest of what the bucket holds
    await core.fileSystem.removals.expire(["/"]);
    const hasMarkers = recording.options["metadata"] === "object";
    for (const [name, tree] of trees) checkBucket(s3, name, tree, hasMarkers);
    expect(core.status().queue).toMatchObject({ length: 0, delayed: { count: 0 } });
    return { lost: disk.lost, pending };
  } finally {
    await core?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function checkBucket(s3: LoopbackS3, name: string, tree: Tree, hasMarkers: boolean): void {
  const { objects } = s3.bucket;
  const found = new Map<string, Buffer>();
  for (const key of objects.keys.filter((key) => key.startsWith(`${name}/`))) {
    // of a directory, which nothing else makes here
    if (hasMarkers && key.endsWith("/")) continue;
    const body = objects.get(key)?.body;
    if (body?.kind !== "memory") throw new Error(`${key} is not in memory`);
    found.set(key.slice(name.length + 1), Buffer.concat(body.chunks));
  }
  const files = new Map([...tree].filter(([, value]) => value !== "directory"));
  if (!isSame(found, files)) expect(shown(found), `bucket of ${name}`).toEqual(shown(files));
}
