// Programs that change directories of their own while single requests fail in every way: no change fails, no name is ever
// missing, and in the end mount and bucket hold what was acknowledged. Timing decides what meets what: a seed alone does
// not repeat a failure.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { md5Hex } from "../support/loopback-s3/objects.ts";
import { type FaultEffect, faultsOfAnswers } from "../support/loopback-s3/faults.ts";
import type { LoopbackVerb } from "../support/loopback-s3/verbs.ts";
import { startCore, type TestCore } from "../support/core.ts";
import { Random } from "../support/random.ts";
import { FaultClient } from "./fault-client.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const first = Number(process.env["PAILFS_TEST_SEED"] ?? Date.now() % 1_000_000);
const RUNS = Number(process.env["PAILFS_TEST_RUNS"] ?? (isFull ? 60 : 3));
const MODES = [{}, { sharing: "exclusive" }, { metadata: "object" }] as const;
const CLIENTS = 4;
const STEPS = 150;

const verbs: readonly LoopbackVerb[] = ["GET", "HEAD", "PUT", "DELETE", "LIST", "COPY"];
const faults: readonly { verb: LoopbackVerb; effect: FaultEffect }[] = [
  ...verbs.flatMap((verb) => faultsOfAnswers.map((effect) => ({ verb, effect }))),
  { verb: "GET", effect: { kind: "resetBody", afterBytes: 1000 } },
  { verb: "GET", effect: { kind: "truncateBody", afterBytes: 1000 } },
  { verb: "GET", effect: { kind: "wrongEtag" } },
  { verb: "PUT", effect: { kind: "wrongEtag" } },
  { verb: "PUT", effect: { kind: "corruptUpload" } },
];

/** Adds one fault after the other until `isOver`. */
async function trouble(core: TestCore, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const { verb, effect } = random.pick(faults);
    const times = 1 + random.integer(3);
    core.s3.faults.add({ effect, verbs: [verb], times, forMs: 300 });
    await sleep(random.integer(60));
  }
  core.s3.faults.clear();
}

function bucketOf(core: TestCore): Record<string, string> {
  const found: Record<string, string> = {};
  for (const key of core.s3.bucket.objects.keys) {
    if (key.endsWith("/")) continue;
    const body = core.s3.bucket.objects.get(key)?.body;
    if (body?.kind !== "memory") throw new Error(`${key} is not in memory`);
    found[key] = md5Hex(Buffer.concat(body.chunks));
  }
  return found;
}

test.each(Array.from({ length: RUNS }, (_, i) => first + i))(
  "no change fails and no name is missing while S3 fails in every way (seed %i)",
  async (seed) => {
    const random = new Random(seed);
    const options = MODES[(seed - first) % MODES.length] ?? {};
    // short, so that what hangs is tried again; mind that EIO is honest where S3 has to be asked
    const core = await startCore({ "s3-deadline": "1s", "stat-cache-ttl": "30m", ...options });
    onTestFinished(() => core.close());
    core.s3.settings.latencyMs = 1;
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) =>
        new FaultClient(core.core.fileSystem, `/c${i}`, new Random(random.integer(2 ** 31))),
    );
    for (const client of clients) await client.start();
    let running = CLIENTS;
    const work = clients.map(async (client) => {
      try {
        await client.run(STEPS);
      } finally {
        running -= 1;
      }
    });
    await Promise.all([...work, trouble(core, random, () => running === 0)]);
    const told = clients.flatMap((client) => client.failures);
    expect(told).toEqual([]);
    await core.core.drained();
    const expected = Object.assign({}, ...clients.map((client) => client.expected())) as object;
    const shown = Object.fromEntries(
      (await Promise.all(clients.map((client) => client.shown()))).flatMap(Object.entries),
    ) as Record<string, string>;
    expect(Object.keys(shown).toSorted()).toEqual(Object.keys(expected).toSorted());
    expect(shown).toEqual(expected);
    expect(bucketOf(core)).toEqual(expected);
  },
  isFull ? 120_000 : 60_000,
);
