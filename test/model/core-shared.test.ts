// Two hosts in shared mode and a third writer straight to the bucket, against a model of the bucket: what a host may do,
// what it shows, and what is in the bucket afterwards.
import { afterEach, expect, test } from "vitest";
import { startCore, type TestCore } from "../support/core.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import type { Quirks } from "../support/loopback-s3/quirks.ts";
import { Random } from "../support/random.ts";
import { type BucketModel, SharedHost } from "./shared-host.ts";

/** Seeds that failed once stay here. */
const KEPT_SEEDS: readonly number[] = [13, 21, 48, 68];
const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);
const STEPS = 120;

// spellings around the slash in the order of bytes
const names = ["a", "b", "a-", "a.x", "ä"];
const orders = ["utf8", "walk", "hashed", "utf16"] as const;

let close: () => Promise<void> = async () => undefined;

afterEach(async () => {
  await close();
});

function randomPath(random: Random): string {
  const depth = 1 + random.integer(3);
  return Array.from({ length: depth }, () => `/${random.pick(names)}`).join("");
}

/** Another program's change of the bucket; files become directories and directories files. */
function changeBucket(random: Random, s3: LoopbackS3, bucket: BucketModel): void {
  const key = randomPath(random).slice(1);
  const below = [...bucket.keys()].filter((other) => other === key || other.startsWith(`${key}/`));
  const above = [...bucket.keys()].filter((other) => key.startsWith(`${other}/`));
  for (const gone of random.chance(70) ? [...below, ...above] : []) {
    s3.bucket.delete(gone);
    bucket.delete(gone);
  }
  if (random.chance(30)) return;
  const text = `theirs ${random.integer(1000)}`;
  s3.putText(key, text);
  bucket.set(key, text);
}

function act(random: Random, host: SharedHost): Promise<string> {
  const path = randomPath(random);
  switch (random.integer(8)) {
    case 0:
    case 1:
      return host.write(path, `ours ${random.integer(1000)}`);
    case 2:
      return host.unlink(path);
    case 3:
      return host.mkdir(path);
    case 4:
      return host.rmdir(path);
    case 5:
      return host.rename(path, randomPath(random));
    default:
      return host.read(path);
  }
}

function contentOf(s3: LoopbackS3): BucketModel {
  const found: BucketModel = new Map();
  for (const key of s3.bucket.objects.keys) {
    const body = s3.bucket.objects.get(key)?.body;
    found.set(key, body?.kind === "memory" ? Buffer.concat(body.chunks).toString() : "?");
  }
  return found;
}

function sorted(bucket: BucketModel): [string, string][] {
  return [...bucket].sort(([a], [b]) => (a < b ? -1 : 1));
}

test.each([...KEPT_SEEDS, ...SEEDS])(
  "two hosts and a third writer agree on the bucket, seed %i",
  async (seed) => {
    const random = new Random(seed);
    const quirks: Quirks = {
      listOrder: random.pick(orders),
      repeatCommonPrefixes: random.chance(30),
    };
    // with a TTL a host looks at once when it is told to
    const isRefreshed = random.chance(40);
    const ttl = isRefreshed ? "60s" : "0";
    const options = { "stat-cache-ttl": ttl, "negative-ttl": ttl, ack: "s3" };
    const s3 = await LoopbackS3.start({ quirks });
    const start = (): Promise<TestCore> => startCore(options, undefined, s3);
    const cores = [await start(), await start()];
    close = async () => {
      for (const core of cores) await core.close();
      await s3.close();
    };
    const bucket: BucketModel = new Map();
    const hosts = cores.map((core) => new SharedHost(core, bucket));
    const done: string[] = [];
    let last: SharedHost | undefined;
    for (let i = 0; i < STEPS; i += 1) {
      if (random.chance(25)) {
        changeBucket(random, s3, bucket);
        done.push(`others: ${[...bucket.keys()].join(" ")}`);
        last = undefined;
      }
      const host = random.pick(hosts);
      if (isRefreshed && host !== last) await host.core.core.fileSystem.refresh("/");
      last = host;
      const state = (): string =>
        `step ${i} of seed ${seed}, host ${hosts.indexOf(host)}\nafter ${done.slice(-24).join("\n")}\nnow ${host.said}`;
      const wrong = await act(random, host);
      expect(wrong, state()).toBe("");
      expect(sorted(contentOf(s3)), state()).toEqual(sorted(bucket));
      done.push(`host ${hosts.indexOf(host)}: ${host.said}`);
      if (random.chance(3)) await host.core.reopen({ emptyCache: random.chance(50) });
      if (random.chance(20)) expect(await host.check(), state()).toBe("");
    }
    for (const host of hosts) {
      if (isRefreshed) await host.core.core.fileSystem.refresh("/");
      expect(await host.check(), `seed ${seed}`).toBe("");
    }
  },
  60_000,
);
