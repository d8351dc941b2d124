// Uploads, views, remote media and deletions at a realistic mix, for a while: memory stays flat, requests are those of the
// golden table, nothing fails, and in the end the bucket has what Synapse's database knows.
import { randomBytes, randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Golden, parseGolden } from "../golden/golden-table.ts";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey } from "../support/synapse/media-layout.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { Site } from "../support/synapse/site.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const SOAK_MS = isFull ? 20 * 60_000 : 40_000;
const USERS = 4;
/** Of each user between two requests, ms. */
const PACE_MS = 150;
/** Requests may be so many times those of the table. */
const MARGIN = 1.2;
/** What the heap may have grown by after warming up, as a factor and in MiB: a short run measures little. */
const GROWTH = { factor: isFull ? 1.15 : 1.5, mib: isFull ? 16 : 64 };

const goldenPath = new URL("../golden/requests.md", import.meta.url);

interface Known {
  readonly medium: Medium;
  readonly digest: string;
  readonly isPicture: boolean;
  /** Of those that are looking at it. */
  viewers: number;
}

/** Requests that the table foresees. */
interface Foreseen {
  readonly PUT: number;
  readonly GET: number;
  readonly DELETE: number;
}

let site: Site;
let home: MatrixUser;
let remote: MatrixUser;

beforeAll(async () => {
  // so small that some views have to ask S3
  const mountOptions = ["--sharing", "exclusive", "--cache-size", "32M"];
  site = await Site.start({ server: chosenServer(), mountOptions });
  home = await site.home.register({ admin: true });
  remote = await site.remote.register();
});

afterAll(async () => {
  await site?.stop();
});

/** What users do, and what it should cost. */
class Mix {
  readonly known: Known[] = [];
  readonly done = { pictures: 0, files: 0, fetched: 0, downloads: 0, thumbnails: 0, deleted: 0 };
  /** Objects that deletions remove. */
  #removed = 0;

  async #uploadPicture(): Promise<void> {
    const content = noisePng(820, 620);
    this.#keep(await home.upload(content, "image/png"), content, true);
    this.done.pictures += 1;
  }

  async #uploadFile(): Promise<void> {
    const content = randomBytes(randomInt(1000, 600_000));
    this.#keep(await home.upload(content), content, false);
    this.done.files += 1;
  }

  async #fetch(): Promise<void> {
    const content = randomBytes(randomInt(1000, 300_000));
    const medium = await remote.upload(content);
    await this.#download(medium, sha256(content));
    this.#keep(medium, content, false);
    this.done.fetched += 1;
  }

  async #view(): Promise<void> {
    const known = this.known[randomInt(this.known.length)];
    if (known === undefined) throw new Error("there is nothing to look at");
    known.viewers += 1;
    if (known.isPicture && randomInt(2) === 0) {
      await home.thumbnail(known.medium, { width: 320, height: 240, method: "scale" });
      this.done.thumbnails += 1;
    } else {
      await this.#download(known.medium, known.digest);
      this.done.downloads += 1;
    }
    known.viewers -= 1;
  }

  async #download(medium: Medium, digest: string): Promise<void> {
    if (sha256(await home.download(medium)) !== digest)
      throw new Error(`${medium.id} has other bytes`);
  }

  async #remove(): Promise<void> {
    const at = this.known.findIndex(
      ({ medium, viewers }) => viewers === 0 && medium.server === site.home.name,
    );
    const [known] = at < 0 ? [] : this.known.splice(at, 1);
    if (known === undefined) return;
    const { server, id } = known.medium;
    await home.call("DELETE", `/_synapse/admin/v1/media/${server}/${id}`);
    this.done.deleted += 1;
    this.#removed += known.isPicture ? 6 : 1;
  }

  async next(): Promise<void> {
    const chance = randomInt(100);
    if (this.known.length < 10 || chance < 12) return this.#uploadPicture();
    if (chance < 25) return this.#uploadFile();
    if (chance < 32) return this.#fetch();
    if (chance < 42) return this.#remove();
    return this.#view();
  }

  foresee(golden: Golden): Foreseen {
    const row = (name: string, verb: string): number => {
      const counts = golden.get(`What Synapse does/${name}`)?.["exclusive"] ?? "";
      const count = new RegExp(`\\b${verb} (\\d+)`).exec(counts)?.[1];
      if (count === undefined) throw new Error(`requests.md has no ${verb} of "${name}"`);
      return Number(count);
    };
    const { pictures, files, fetched, downloads, thumbnails } = this.done;
    // a remote file is stored like one of ours
    const stored = (files + fetched) * row("upload of a text", "PUT");
    return {
      PUT: pictures * row("upload of an image, 5 thumbnails", "PUT") + stored,
      GET: downloads * row("download", "GET") + thumbnails * row("thumbnail view", "GET"),
      // of three objects
      DELETE: (this.#removed * row("delete of an image, 2 thumbnails", "DELETE")) / 3,
    };
  }

  #keep(medium: Medium, content: Buffer, isPicture: boolean): void {
    this.known.push({ medium, digest: sha256(content), isPicture, viewers: 0 });
  }
}

/** Anonymous memory of the daemon, MiB. */
async function anonymousMib(): Promise<number> {
  const status = await readFile(`/proc/${site.daemon.pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

/** Runs the mix for SOAK_MS; resolves to samples of the daemon's memory, one a second. */
async function soak(mix: Mix): Promise<number[]> {
  const samples: number[] = [];
  const until = Date.now() + SOAK_MS;
  const use = async (): Promise<void> => {
    while (Date.now() < until) {
      await mix.next();
      await pause(PACE_MS);
    }
  };
  const watch = async (): Promise<void> => {
    while (Date.now() < until) {
      samples.push(await anonymousMib());
      await pause(1000);
    }
  };
  await Promise.all([watch(), ...Array.from({ length: USERS }, use)]);
  return samples;
}

async function countRows(table: string): Promise<number> {
  return Number((await site.home.sql(`SELECT count(*) FROM ${table}`))[0]?.[0]);
}

test(
  "a busy media store takes no more memory and no more requests with time",
  async () => {
    const mix = new Mix();
    let samples: number[] = [];
    const counts = await site.bucket.countsOf(async () => {
      samples = await soak(mix);
      await site.daemon.settled(120_000);
    });
    const foreseen = mix.foresee(parseGolden(await readFile(goldenPath, "utf8")));
    const part = (from: number, to: number): number[] =>
      samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
    const warm = median(part(0.25, 0.4));
    const end = median(part(0.85, 1));
    const told = { done: mix.done, counts, foreseen, memoryMib: { warm, end } };
    process.stdout.write(`soak of ${SOAK_MS / 1000} s: ${JSON.stringify(told)}\n`);

    const { PUT = 0, GET = 0, DELETE = 0, ...others } = counts;
    expect(PUT).toBeLessThanOrEqual(MARGIN * foreseen.PUT);
    expect(GET).toBeLessThanOrEqual(MARGIN * foreseen.GET);
    expect(DELETE).toBeLessThanOrEqual(MARGIN * foreseen.DELETE);
    expect(others).toEqual({});
    expect(end).toBeLessThan(warm * GROWTH.factor + GROWTH.mib);

    expect(await site.home.trouble()).toEqual([]);
    const rows = [
      "local_media_repository",
      "local_media_repository_thumbnails",
      "remote_media_cache",
      "remote_media_cache_thumbnails",
    ].map(countRows);
    const objects = (await Promise.all(rows)).reduce((sum, count) => sum + count, 0);
    expect((await site.bucket.keys()).length).toBe(objects);
    for (const { medium, digest } of mix.known.slice(-100)) {
      if (medium.server !== site.home.name) continue;
      expect(await site.bucket.sha256(localKey(medium))).toBe(digest);
    }
  },
  SOAK_MS + 300_000,
);
