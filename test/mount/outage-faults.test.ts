// Every verb under every fault, through a real mount with programs at work: nothing that was acknowledged is lost or wrong,
// and no name is missing.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { recordDurability } from "../support/durability-report.ts";
import { faultsOfAnswers } from "../support/loopback-s3/faults.ts";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { Load, type LoadPlan, type LoadReport } from "../support/mount/load.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { Random } from "../support/random.ts";
import { tlsCertificate, tlsKey } from "../support/tls-identity.ts";
import { md5, Place } from "./daemon-fixture.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const seed = Number(process.env["PAILFS_TEST_SEED"] ?? Date.now() % 1_000_000);
const DEADLINE_MS = 6000;
/** A fault hits so many requests, and goes when they do not come within this time. */
const HITS = 2;
const FAULT_MS = isFull ? 2500 : 1500;
const SAMPLE = 12;
const REMOTE = { prefix: "remote/", count: 3000, size: 9000 };

// COPY_PART takes objects of more than 5 GB: test/s3/fault-matrix.test.ts has it
const verbs = [
  "GET",
  "HEAD",
  "PUT",
  "DELETE",
  "LIST",
  "COPY",
  "CREATE_MULTIPART",
  "UPLOAD_PART",
  "COMPLETE_MULTIPART",
  "ABORT_MULTIPART",
];
const ofBodies: object[] = [
  { kind: "resetBody", afterBytes: 3000 },
  { kind: "truncateBody", afterBytes: 3000 },
  { kind: "stallBody", afterBytes: 3000 },
  { kind: "wrongEtag" },
];
const ofUploads: object[] = [{ kind: "wrongEtag" }, { kind: "corruptUpload" }];

interface ArmedFault {
  readonly verb: string;
  readonly effect: object;
  readonly nth: number;
}

const all = [
  ...verbs.flatMap((verb) => faultsOfAnswers.map((effect) => ({ verb, effect }))),
  ...ofBodies.map((effect) => ({ verb: "GET", effect })),
  ...ofUploads.flatMap((effect) => ["PUT", "UPLOAD_PART"].map((verb) => ({ verb, effect }))),
];

/** All of them, or a sample by the seed; each hits the next request or a later one. */
function faults(): ArmedFault[] {
  const random = new Random(seed);
  const left = all.map((fault) => ({ ...fault, nth: 1 + random.integer(3) }));
  if (isFull) return left;
  return Array.from({ length: SAMPLE }, () => {
    const [picked] = left.splice(random.integer(left.length), 1);
    if (picked === undefined) throw new Error("Not so many faults");
    return picked;
  });
}

interface Row {
  readonly event: string;
  readonly tried: number;
  failed: number;
  note: string;
}
const rows: Row[] = [];
afterAll(async () => {
  const promise =
    "no failed write, no name missing, all that was acknowledged is in the bucket and read back";
  for (const row of rows) await recordDurability({ ...row, promise });
});

/** The row of an event that fails until held() says otherwise. */
function rowOf(event: string, tried: number): { held(report: LoadReport, more: string): void } {
  const row = { event, tried, failed: tried, note: `seed ${seed}` };
  rows.push(row);
  return {
    held: ({ calls, expected }, more) => {
      const count = Object.values(calls).reduce((sum, each) => sum + each, 0);
      row.failed = 0;
      row.note = `${more}${count} calls, ${Object.keys(expected).length} files compared, ${row.note}`;
    },
  };
}

function planFor(place: Place): LoadPlan {
  return {
    root: place.mountpoint,
    seed,
    writers: 2,
    changers: 3,
    large: true,
    pauseMs: 60,
    bytes: 20_000,
    cached: {},
    remote: REMOTE,
  };
}

const usual = [
  `--s3-deadline=${DEADLINE_MS}ms`,
  "--stat-cache-ttl=30m",
  "--multipart-threshold=5M",
  "--part-size=5M",
];

/** Runs `trouble` under a load, then compares bucket and an empty cache with what was acknowledged. */
async function underLoad(
  place: Place,
  options: readonly string[],
  trouble: () => Promise<void>,
  mayBeStale = false,
): Promise<LoadReport> {
  await place.admin("synthetic", REMOTE);
  await place.mount(...options);
  const load = await Load.start(planFor(place));
  onTestFinished(() => load.kill());
  await trouble();
  const report = await load.stop();
  expect(report.wrong).toEqual([]);
  // a read of what is not known here may be EIO at the deadline on a busy machine; nothing else may fail
  // an ETag that is wrong is a file that somebody else has replaced, which an append must not overwrite
  const isHonest = (kind: string): boolean =>
    kind === "read remote EIO" || (mayBeStale && kind.endsWith(" ESTALE"));
  const failed = Object.keys(report.errors).filter((kind) => !isHonest(kind));
  expect(failed, report.failures.join("\n")).toEqual([]);
  expect(report.errors["read remote EIO"] ?? 0).toBeLessThan(
    Math.max(2, (report.calls["read remote"] ?? 0) / 5),
  );
  await place.umount();
  const bucket = await place.bucket();
  const uncertain = new Set(report.uncertain);
  const ours = Object.keys(bucket).filter(
    (key) => !key.startsWith(REMOTE.prefix) && !uncertain.has(key),
  );
  const said = `${report.failures.join("\n")}\n${report.uncertain.join(" ")}`;
  expect(ours.toSorted(), said).toEqual(Object.keys(report.expected).toSorted());
  await place.mount(...options, "--cache-dir", join(place.folder, "cache2"));
  for (const [path, digest] of Object.entries(report.expected)) {
    expect(md5(await readFile(place.path(path))), path).toBe(digest);
  }
  await place.umount();
  return report;
}

test(
  `faults of single requests under load (seed ${seed})`,
  async () => {
    const place = await Place.make();
    await place.stopServer();
    await place.startServer(true);
    const armed = faults();
    const row = rowOf("faults of each verb under load", armed.length);
    const report = await underLoad(
      place,
      usual,
      async () => {
        for (const { verb, effect, nth } of armed) {
          for (let i = 0; i < HITS; i += 1) {
            await place.admin("fault", { effect, verbs: [verb], nth: nth + i, forMs: FAULT_MS });
          }
          const endsAt = Date.now() + FAULT_MS;
          await waitUntil("the fault has passed", () => Date.now() > endsAt, FAULT_MS + 10_000);
        }
        await place.admin("clear-faults", {});
      },
      true,
    );
    row.held(report, `${armed.length} of ${all.length} pairs of verb and fault, `);
  },
  isFull ? 1_200_000 : 240_000,
);

test("expired keys are read again from their file, and a skewed clock is corrected, under load", async () => {
  const row = rowOf(
    "expired keys that their file has anew, and clocks 20 min apart, under load",
    3,
  );
  const place = await Place.make();
  await place.stopServer();
  await place.startServer(true);
  const file = join(place.folder, "keys");
  const write = async (secret: string): Promise<void> => {
    await writeFile(`${file}.new`, `${testLogin.accessKeyId}:${secret}\n`, { mode: 0o600 });
    await rename(`${file}.new`, file);
  };
  await write(testLogin.secretAccessKey);
  place.variables = {};
  const report = await underLoad(place, [...usual, "--credentials-file", file], async () => {
    const other = "another secret";
    const log = async (): Promise<{ verb: string; status: number }[]> =>
      (await place.admin("log")) as { verb: string; status: number }[];
    const seen = async (status: number, count: number, verb?: string): Promise<void> => {
      const isWanted = (entry: { verb: string; status: number }): boolean =>
        entry.status === status && (verb === undefined || entry.verb === verb);
      const isEnough = async (): Promise<boolean> => (await log()).filter(isWanted).length >= count;
      await waitUntil(`${count} answers of ${status}`, isEnough, 60_000);
    };
    const login = { ...testLogin, secretAccessKey: other };
    await place.admin("reset", {});
    await place.admin("settings", { login });
    await seen(403, 2);
    await write(other);
    await seen(200, 10, "PUT");
    await place.admin("reset", {});
    await place.admin("settings", { login, clockOffsetMs: 20 * 60_000 });
    await seen(403, 1);
    await seen(200, 10, "PUT");
    await place.admin("settings", { login, clockOffsetMs: 0 });
    await place.admin("reset", {});
    await seen(200, 10, "PUT");
  });
  row.held(report, "");
}, 240_000);

test("TLS that fails for a while under load", async () => {
  const row = rowOf("TLS handshakes that fail under load", 3);
  const place = await Place.make();
  await place.stopServer();
  await place.startServer(true);
  const front = await TlsFront.start(Number(new URL(place.endpoint).port));
  onTestFinished(() => front.close());
  await mkdir(join(place.folder, "tls"));
  const ca = join(place.folder, "tls/ca.pem");
  await writeFile(ca, tlsCertificate);
  place.variables = { ...place.variables, NODE_EXTRA_CA_CERTS: ca };
  const endpoint = `https://127.0.0.1:${front.port}`;
  const report = await underLoad(place, [...usual, "--endpoint", endpoint], async () => {
    await waitUntil("uploads come", () => front.accepted > 0);
    for (let round = 0; round < 3; round += 1) {
      front.breakHandshakes();
      const broken = front.refused;
      await waitUntil("handshakes fail", () => front.refused > broken + 3, 60_000);
      const accepted = front.accepted;
      front.mend();
      await waitUntil("handshakes work", () => front.accepted > accepted, 60_000);
    }
  });
  row.held(report, "");
}, 240_000);

/** TLS before the loopback S3; broken, it answers a handshake with nonsense. */
class TlsFront {
  accepted = 0;
  refused = 0;
  #isBroken = false;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  private constructor(port: number) {
    this.#server = createServer({ key: tlsKey, cert: tlsCertificate }, (secure) => {
      this.accepted += 1;
      const plain = connect(port, "127.0.0.1");
      for (const socket of [secure, plain]) socket.on("error", () => undefined);
      secure.pipe(plain).pipe(secure);
      secure.on("close", () => plain.destroy());
      plain.on("close", () => secure.destroy());
    });
    this.#server.on("tlsClientError", () => undefined);
    this.#server.prependListener("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("error", () => undefined);
      if (!this.#isBroken) return;
      this.refused += 1;
      socket.end("this is not TLS\r\n");
    });
  }

  static async start(port: number): Promise<TlsFront> {
    const front = new TlsFront(port);
    await new Promise<void>((resolve) => front.#server.listen(0, "127.0.0.1", resolve));
    return front;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Cuts all connections; new ones fail. */
  breakHandshakes(): void {
    this.#isBroken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isBroken = false;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
