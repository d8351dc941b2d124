// S3 away under a real Synapse: uploads and cached media do not notice, the rest waits and fails, nothing is forgotten.
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { longestSync } from "../support/synapse/disk-watch.ts";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey, remoteKeys } from "../support/synapse/media-layout.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { type Answers, ReactorWatch } from "../support/synapse/reactor-watch.ts";
import { Site } from "../support/synapse/site.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const OUTAGE_MS = isFull ? 60_000 : 15_000;
const DEADLINE_MS = 3000;
/** The bar is the first; who waits for S3 waits for the deadline. */
const BLOCKED_MS = isFull ? 200 : DEADLINE_MS / 2;
/** A machine that runs other tests stalls by itself, which its disk and an idle Synapse show. */
const NOISE = 3;
const QUIET_P99_MS = 50;
/** How long a caller waits for a medium that only S3 has. */
const WAIT_MS = 3 * DEADLINE_MS;
/** Between two requests of a kind, ms. */
const PACE_MS = 100;

let site: Site;
let user: MatrixUser;
let remote: MatrixUser;

beforeAll(async () => {
  const mountOptions = ["--sharing", "exclusive", `--s3-deadline=${DEADLINE_MS}ms`];
  site = await Site.start({ server: chosenServer(), mountOptions });
  user = await site.home.register();
  remote = await site.remote.register();
});

afterAll(async () => {
  await site?.stop();
});

/** A medium and the SHA-256 of its bytes. */
interface Known {
  readonly medium: Medium;
  readonly digest: string;
}

async function uploaded(by: MatrixUser, type?: string): Promise<Known> {
  const content = type === undefined ? randomBytes(150_000) : noisePng(200, 150);
  return { medium: await by.upload(content, type), digest: sha256(content) };
}

/** How a download ended: "whole" or "wrong" bytes, else what the answer said. */
async function outcome({ medium, digest }: Known, signal?: AbortSignal): Promise<string> {
  const answer = await user.tryDownload(medium, {}, signal === undefined ? {} : { signal });
  if (answer.status !== 200) return `${answer.status} ${await answer.text()}`;
  return sha256(new Uint8Array(await answer.arrayBuffer())) === digest ? "whole" : "wrong";
}

/**
 * As outcome(), of a caller who gives up: "broken" too. Where a read fails, Synapse has promised a length and leaves its
 * caller waiting for the rest, on any disk.
 */
async function patientOutcome(known: Known): Promise<string> {
  return outcome(known, AbortSignal.timeout(WAIT_MS)).catch(() => "broken");
}

async function repeat(until: number, action: () => Promise<void>): Promise<void> {
  while (Date.now() < until) {
    await action();
    await pause(PACE_MS);
  }
}

async function filesystemId({ medium }: Known): Promise<string | undefined> {
  return (await remoteKeys(site.home, medium))?.key;
}

/** What users saw of an outage. */
interface Seen {
  readonly uploads: Known[];
  readonly cached: Set<string>;
  readonly uncached: Set<string>;
}

async function useFor(ms: number, warm: Known, cold: readonly Known[]): Promise<Seen> {
  const seen: Seen = { uploads: [], cached: new Set(), uncached: new Set() };
  const until = Date.now() + ms;
  let isPicture = false;
  await Promise.all([
    repeat(until, async () => {
      isPicture = !isPicture;
      seen.uploads.push(await uploaded(user, isPicture ? "image/png" : undefined));
    }),
    repeat(until, async () => void seen.cached.add(await outcome(warm))),
    ...cold.map(async (known) =>
      repeat(until, async () => void seen.uncached.add(await patientOutcome(known))),
    ),
  ]);
  return seen;
}

const outages: [string, () => Promise<void>, () => Promise<void>][] = [
  ["answers 503", async () => fault(503, "SlowDown"), async () => site.bucket.gate.clearFaults()],
  [
    "refuses connections",
    async () => site.bucket.gate.refuse(),
    async () => site.bucket.gate.accept(),
  ],
  [
    "answers 403 to an expired key",
    async () => fault(403, "ExpiredToken"),
    async () => site.bucket.gate.clearFaults(),
  ],
];

async function fault(status: number, code: string): Promise<void> {
  await site.bucket.gate.addFault({ effect: { kind: "status", status, code } });
}

test.each(outages)(
  "S3 %s: uploads and cached media work, nothing is not found, and all is there afterwards",
  async (what, begin, end) => {
    const [local, fetched] = [await uploaded(user), await uploaded(remote)];
    expect(await outcome(fetched)).toBe("whole");
    const key = await filesystemId(fetched);
    expect(key).toBeDefined();
    await site.daemon.settled();
    await site.daemon.remountCold();
    const warm = await uploaded(user);
    await site.daemon.settled();

    await begin();
    let seen: Seen | undefined;
    let answers: Answers | undefined;
    let idle: Answers | undefined;
    const disk = await longestSync(site.folder, async () => {
      idle = await ReactorWatch.during(site.remote, async () => {
        answers = await ReactorWatch.during(site.home, async () => {
          seen = await useFor(OUTAGE_MS, warm, [local, fetched]);
        });
      });
    });
    await end();
    const told = { uploads: seen?.uploads.length, answers, idle, disk };
    process.stdout.write(`S3 ${what} for ${OUTAGE_MS} ms: ${JSON.stringify(told)}\n`);
    expect([...(seen?.cached ?? [])]).toEqual(["whole"]);
    // Synapse has sent its header when the first read fails
    expect([...(seen?.uncached ?? [])]).toEqual(["broken"]);
    expect(answers?.mount).toBeLessThan(Math.max(BLOCKED_MS, NOISE * disk));
    // a machine without time for an idle Synapse says nothing of a busy one
    const isBusy = (idle?.p99 ?? Infinity) > QUIET_P99_MS;
    if (!isBusy) expect(answers?.max).toBeLessThan(Math.max(BLOCKED_MS, NOISE * disk));

    await site.daemon.settled(120_000);
    for (const { medium, digest } of seen?.uploads ?? []) {
      expect(await site.bucket.sha256(localKey(medium)), medium.id).toBe(digest);
    }
    // the same file as before: it was not fetched anew from the other server
    expect(await filesystemId(fetched)).toBe(key);
    for (const known of [local, fetched, warm]) expect(await outcome(known)).toBe("whole");
    expect(await site.home.trouble(/\[Errno 5\]/, /Traceback/)).toEqual([]);
  },
  OUTAGE_MS + 240_000,
);
