// S3 away while programs work: uploads into known directories and reads of cached files do not notice, and afterwards the
// queue is empty in the time that it needs anyway.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { recordDurability } from "../support/durability-report.ts";
import { Load, type LoadPlan, type LoadReport } from "../support/mount/load.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, md5, Place } from "./daemon-fixture.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const OUTAGE_MS = isFull ? 60_000 : 5000;
const DEADLINE_MS = 4000;
/** What the same uploads may take longer than with S3 up: the bar's factor, and what a probe of a busy machine takes. */
const DRAIN_FACTOR = 2;
const DRAIN_MORE_MS = isFull ? 0 : 15_000;
/** A caller may be blocked for the deadline and a second; a machine that runs other tests gets more, but not another deadline. */
const BLOCKED_MS = DEADLINE_MS + (isFull ? 1000 : 3500);
/** Of uploads its beginning and its end, of reads the first that failed, and how many it were in each minute. */
const LOG_LINES = 4;

const effects: [string, object | undefined][] = [
  ["refused", undefined],
  ["hang", { kind: "hang" }],
  ["503", { kind: "status", status: 503, code: "SlowDown" }],
  ["403", { kind: "status", status: 403, code: "AccessDenied" }],
  ["reset", { kind: "reset" }],
];

const told: string[] = [];
let held = 0;
afterAll(async () => {
  if (told.length === 0) return;
  await recordDurability({
    event: `S3 away for ${OUTAGE_MS / 1000} s under uploads and reads: ${effects.map(([name]) => name).join(", ")}`,
    promise:
      "no failed write, no ENOENT, nobody blocked for longer than deadline + 1 s, all in the bucket",
    tried: effects.length,
    failed: effects.length - held,
    note: told.join("; "),
  });
});

const quiet: LoadPlan = {
  root: "",
  seed: 1,
  writers: 4,
  changers: 0,
  large: false,
  pauseMs: 200,
  bytes: 30_000,
  cached: {},
  remote: { prefix: "", count: 0, size: 0 },
};

async function untilDrained(place: Place): Promise<void> {
  const isEmpty = async (): Promise<boolean> => (await place.status()).queue.length === 0;
  await waitUntil("the queue is empty", isEmpty, 120_000);
}

async function logOf(place: Place): Promise<string[]> {
  const text = await readFile(join(place.folder, "log"), "utf8");
  return text.split("\n").filter((line) => line !== "");
}

/** Files that are uploaded and on the local disk. */
async function cachedFiles(place: Place): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  await mkdir(place.path("cached"));
  for (let i = 0; i < 10; i += 1) {
    const content = bytes(50_000);
    await writeFile(place.path(`cached/f${i}`), content);
    files[`cached/f${i}`] = md5(content);
  }
  await place.pailfs("flush", place.mountpoint);
  return files;
}

/** Ms that so many uploads take with S3 up, from the first write on. */
async function uploadMs(place: Place, count: number): Promise<number> {
  const startedAt = Date.now();
  await mkdir(place.path("before"));
  const one = async (i: number): Promise<void> =>
    writeFile(place.path(`before/f${i}`), bytes(quiet.bytes));
  for (let i = 0; i < count; i += 8) {
    await Promise.all(Array.from({ length: Math.min(8, count - i) }, (_, k) => one(i + k)));
  }
  await untilDrained(place);
  return Date.now() - startedAt;
}

async function underLoad(plan: LoadPlan, ms: number): Promise<LoadReport> {
  const load = await Load.start(plan);
  onTestFinished(() => load.kill());
  const endsAt = Date.now() + ms;
  await waitUntil("the outage has lasted", () => Date.now() > endsAt, ms + 1000);
  return load.stop();
}

test.each(effects)(
  "%s: no write fails, nobody waits too long, and the queue is soon empty",
  async (name, effect) => {
    const place = await Place.make();
    for (let i = 0; i < 50; i += 1)
      await place.admin("ramp", { prefix: `remote/${i}`, size: 9000 });
    const options = ["--sharing=exclusive", `--s3-deadline=${DEADLINE_MS}ms`];
    await place.mount(...options, "--log-file", join(place.folder, "log"));
    await waitUntil("all names are known", async () => {
      const { coverage } = await place.status();
      return coverage?.complete === true && coverage.crawl === undefined;
    });
    const cached = await cachedFiles(place);
    for (let i = 0; i < quiet.writers; i += 1) await mkdir(place.path(`w${i}`));
    const before = await logOf(place);

    if (effect === undefined) await place.stopServer();
    else await place.admin("fault", { effect });
    const remote = { prefix: "remote/", count: 50, size: 9000 };
    const report = await underLoad({ ...quiet, root: place.mountpoint, cached, remote }, OUTAGE_MS);
    const trouble = await place.status();
    const names = Object.keys(report.expected);
    expect(report.wrong).toEqual([]);
    expect(Object.keys(report.errors).filter((kind) => kind !== "read remote EIO")).toEqual([]);
    expect(report.errors["read remote EIO"]).toBeGreaterThan(0);
    const { "read remote": longestRead = 0, ...local } = report.longestMs;
    expect(Math.max(longestRead, ...Object.values(local))).toBeLessThan(BLOCKED_MS);
    expect(trouble.queue.length).toBeGreaterThanOrEqual(names.length);
    expect(trouble.failingSinceMs).toBeDefined();
    expect(trouble.queue.lastError?.message).toMatch(/\S/);
    // the error is as old as the outage, not as the latest file
    const troubleMs = Date.now() - (trouble.queue.lastError?.sinceMs ?? Infinity);
    expect(troubleMs).toBeGreaterThan(OUTAGE_MS / 10);

    const backAt = Date.now();
    if (effect === undefined) await place.startServer();
    else await place.admin("clear-faults", {});
    await untilDrained(place);
    const drainMs = Date.now() - backAt;
    const lines = (await logOf(place)).slice(before.length);
    const upMs = await uploadMs(place, names.length);
    const longest = Math.round(Math.max(...Object.values(report.longestMs)));
    told.push(
      `${name}: ${names.length} files, drained in ${drainMs} ms (S3 up: ${upMs} ms), longest call ${longest} ms, ${lines.length} lines of log`,
    );
    expect(lines.length, lines.join("\n")).toBeLessThanOrEqual(LOG_LINES);
    const bucket = await place.bucket();
    for (const [path, digest] of Object.entries(report.expected)) {
      expect(bucket[path], path).toBe(digest);
    }
    expect(drainMs).toBeLessThan(DRAIN_FACTOR * upMs + DRAIN_MORE_MS);
    held += 1;
    await place.umount();
  },
  OUTAGE_MS + 240_000,
);
