// The daemon kills itself at a named point of an operation; after the next start mount and bucket hold what was
// acknowledged, and where nothing was acknowledged the operation was done wholly or not at all.
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { recordDurability } from "../support/durability-report.ts";
import { Random } from "../support/random.ts";
import { type CrashOperation, crashOperations, type Tree } from "./crash-operations.ts";
import { isAlive, md5, Place } from "./daemon-fixture.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
/** Points of each operation that are tried where not all are. */
const SAMPLE = 1;
const seed = Number(process.env["PAILFS_TEST_SEED"] ?? Date.now() % 100_000);
const hook = new URL("../../dist/test-support/crash-points/crash-points.js", import.meta.url).href;
const options = ["--multipart-threshold=5M", "--part-size=5M"];

let kills = 0;
let failed = 0;
afterAll(async () => {
  await recordDurability({
    event: "kill -9 at a named point of each operation",
    promise:
      "what was acknowledged is in the mount and reaches the bucket; the rest is done wholly or not at all",
    tried: kills,
    failed,
    note: `${Object.keys(crashOperations).length} operations, ${isFull ? "all points" : "a point each"}, seed ${seed}`,
  });
});

/** Mounts with a cache that nobody used yet. */
async function mountAnew(place: Place, round: number): Promise<number> {
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  const folder = join(place.folder, `cache-${round}`);
  return place.mount(...options, "--cache-dir", folder);
}

/** Waits until the bucket has everything. */
async function flush(place: Place): Promise<void> {
  const { code, stderr } = await place.pailfs("flush", place.mountpoint);
  expect([code, stderr]).toEqual([0, ""]);
}

async function build(directory: string, tree: Tree): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    if (content === "directory") await mkdir(join(directory, name));
    else await writeFile(join(directory, name), content);
  }
}

/** What is there: the MD5 of each file, "directory" for each directory. */
async function shape(directory: string, below = ""): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(join(directory, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if ((await stat(join(directory, path))).isDirectory()) {
      found[path] = "directory";
      Object.assign(found, await shape(directory, path));
    } else {
      found[path] = md5(await readFile(join(directory, path)));
    }
  }
  return found;
}

function shapeOf(tree: Tree): Record<string, string> {
  const entries = Object.entries(tree).map(([name, content]) => [
    name,
    content === "directory" ? content : md5(content),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

interface Round {
  readonly place: Place;
  readonly round: number;
  readonly operation: CrashOperation;
  readonly point: string;
}

/** One kill: `place` is mounted before and after. */
async function crashOnce({ place, round, operation, point }: Round): Promise<void> {
  const directory = place.path(`r${round}`);
  await mkdir(directory);
  await build(directory, operation.before);
  await flush(place);
  const pid = await place.daemonPid();
  const [, name = point, nth = "1"] = /^(.*?)(?:\.(\d+))?$/.exec(point) ?? [];
  const order = join(place.folder, "armed");
  await writeFile(order, JSON.stringify({ point: name, nth: Number(nth) }));
  const answer = await operation.run(directory).then(
    (left) => ({ acknowledged: true, left }),
    () => ({ acknowledged: false, left: undefined }),
  );
  await waitUntil(`the daemon died at ${point}`, () => !isAlive(pid), 15_000);
  await answer.left?.end();
  expect(await readFile(`${order}.fired`, "utf8")).toBe(name);
  kills += 1;
  await mountAnew(place, round + 1);
  const found = await shape(directory);
  const [before, after] = [shapeOf(operation.before), shapeOf(operation.after)];
  if (answer.acknowledged) expect(found).toEqual(after);
  else expect([before, after]).toContainEqual(found);
  await flush(place);
  // large objects have an ETag of their parts: their bytes are compared through the next mount's empty cache
  const bucket = Object.keys(await place.bucket()).filter((key) => key.startsWith(`r${round}/`));
  const files = Object.keys(found).filter((path) => found[path] !== "directory");
  expect(bucket.sort()).toEqual(files.map((path) => `r${round}/${path}`).sort());
  await place.umount();
  await mountAnew(place, round + 2);
  expect(await shape(directory)).toEqual(found);
}

test.each(Object.entries(crashOperations))(
  `%s survives a kill at each of its points (seed ${seed})`,
  async (name, operation) => {
    const place = await Place.make();
    await place.stopServer();
    // parts want the server in memory; it is never stopped here
    await place.startServer(true);
    place.variables["NODE_OPTIONS"] = `--import=${hook}`;
    place.variables["PAILFS_CRASH_FILE"] = join(place.folder, "armed");
    await place.mount(...options);
    const random = new Random(seed + name.length);
    const points = isFull
      ? operation.points
      : Array.from({ length: SAMPLE }, () => random.pick(operation.points));
    for (const [i, point] of points.entries()) {
      const round = { place, round: 10 * i, operation, point };
      await crashOnce(round).catch((error: unknown) => {
        failed += 1;
        throw new Error(`${name} at ${point}`, { cause: error });
      });
    }
    await place.umount();
  },
  isFull ? 400_000 : 90_000,
);
