// The tools that administrators run over a media store, on the one that a running Synapse fills.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, readdir, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey } from "../support/synapse/media-layout.ts";
import { makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

const execute = promisify(execFile);
/** Digests of files by path, below a folder or a prefix. */
type Sums = Record<string, string>;

async function run(program: string, ...words: string[]): Promise<string> {
  const env = { ...process.env, LC_ALL: "C" };
  return (await execute(program, words, { timeout: 100_000, env })).stdout;
}

async function sumsOf(folder: string): Promise<Sums> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sums = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [relative(folder, path), sha256(await readFile(path))] as const;
  });
  return Object.fromEntries(await Promise.all(sums));
}

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  let mount: string;
  /** What Synapse was given, by key. */
  const given: Sums = {};

  beforeAll(async () => {
    site = await Site.start({ server, remote: false });
    user = await site.home.register({ admin: true });
    mount = site.daemon.mountpoint;
    const pictures = await makePictures(site.folder);
    for (const { content, type } of Object.values(pictures)) await give(content, type);
    for (let i = 0; i < 10; i++) await give(randomBytes(i * 10_000));
    await site.daemon.settled();
  });

  afterAll(async () => {
    await site?.stop();
  });

  async function give(content: Buffer, type?: string): Promise<Medium> {
    const medium = await user.upload(content, type);
    given[localKey(medium)] = sha256(content);
    return medium;
  }

  async function sumsInBucket(prefix = ""): Promise<Sums> {
    await site.daemon.settled();
    const sums: Sums = {};
    for (const key of await site.bucket.keys(prefix)) {
      sums[key.slice(prefix.length)] = await site.bucket.sha256(key);
    }
    return sums;
  }

  /** Runs `action` while Synapse takes uploads and gives them back. */
  async function whileSynapseWorks(action: () => Promise<void>): Promise<void> {
    const done = new AbortController();
    const working = (async () => {
      for (let i = 0; i === 0 || (i < 40 && !done.signal.aborted); i++) {
        const content = randomBytes(30_000);
        const medium = await give(content);
        expect(sha256(await user.download(medium))).toBe(sha256(content));
      }
    })();
    try {
      await action();
    } finally {
      done.abort();
      await working;
    }
  }

  test("rsync -a copies the store as it is in the bucket, and finds nothing to do a second time", async () => {
    const copy = join(site.folder, "copy");
    const stored = await sumsInBucket();
    expect(stored).toMatchObject(given);
    await site.daemon.remountCold();
    const counts = await site.bucket.countsOf(async () => run("rsync", "-a", `${mount}/`, copy));
    expect(await sumsOf(copy)).toEqual(stored);
    const notEmpty = Object.values(await site.bucket.sizes()).filter((size) => size > 0);
    expect(counts).toEqual({ GET: notEmpty.length });
    const again = await site.bucket.countsOf(async () => {
      const told = await run("rsync", "-a", "--stats", `${mount}/`, copy);
      expect(told).toMatch(/Number of regular files transferred: 0\n/);
    });
    expect(again).toEqual({});
    expect(await site.home.trouble()).toEqual([]);
  });

  test("rsync --size-only --ignore-existing brings a plain store into the bucket in two passes", async () => {
    const plain = join(site.folder, "copy");
    const target = join(mount, "moved in");
    const words = ["-a", "--size-only", "--ignore-existing", "--stats", `${plain}/`, target];
    await whileSynapseWorks(async () => {
      await run(
        "rsync",
        "-a",
        "--size-only",
        "--ignore-existing",
        `${plain}/local_content`,
        target,
      );
      await run("rsync", ...words);
      expect(await run("rsync", ...words)).toMatch(/Number of regular files transferred: 0\n/);
    });
    expect(await sumsInBucket("moved in/")).toEqual(await sumsOf(plain));
    expect(await site.home.trouble()).toEqual([]);
  });

  test("cp -a, mv and tar x on the mount make the objects they say", async () => {
    const source = await sumsOf(join(site.folder, "copy"));
    await whileSynapseWorks(async () => {
      await run("cp", "-a", join(mount, "moved in"), join(mount, "copied"));
      await run("mv", join(mount, "copied"), join(mount, "renamed"));
      await run("tar", "cf", join(site.folder, "store.tar"), "-C", join(mount, "renamed"), ".");
      await mkdir(join(mount, "unpacked"));
      await run("tar", "xf", join(site.folder, "store.tar"), "-C", join(mount, "unpacked"));
    });
    expect(await sumsInBucket("copied/")).toEqual({});
    expect(await sumsInBucket("renamed/")).toEqual(source);
    expect(await sumsInBucket("unpacked/")).toEqual(source);
    // a rename within what Synapse has there, and back
    const [key = ""] = Object.keys(given);
    await run("mv", join(mount, key), join(mount, "aside"));
    expect(Object.keys(await sumsInBucket(key))).toEqual([]);
    await run("mv", join(mount, "aside"), join(mount, key));
    expect(await sumsInBucket(key)).toEqual({ "": given[key] });
    expect(await site.home.trouble()).toEqual([]);
  });

  test("du and df tell what is stored", async () => {
    const sizes = Object.values(await site.bucket.sizes());
    const told = await run("find", mount, "-type", "f", "-printf", "%s\\n");
    const onMount = told.split("\n").filter(Boolean).map(Number);
    const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);
    expect(onMount.length).toBe(sizes.length);
    expect(sum(onMount)).toBe(sum(sizes));
    const directories = (await run("find", mount, "-type", "d")).split("\n").filter(Boolean);
    const used = Number((await run("du", "-s", "--block-size=1", mount)).split("\t")[0]);
    expect(used).toBeGreaterThanOrEqual(sum(sizes));
    // blocks are rounded up, directories may have some
    expect(used).toBeLessThanOrEqual(sum(sizes) + 4096 * (sizes.length + directories.length));
    const [, row = ""] = (await run("df", "--output=target,avail", mount)).trim().split("\n");
    expect(row).toContain(mount);
    expect(Number(row.trim().split(/\s+/).at(-1))).toBeGreaterThan(1024 ** 3);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("find -type d -empty -delete takes what deletions left, and nothing of the media", async () => {
    for (const name of ["moved in", "renamed", "unpacked"]) {
      await rm(join(mount, name), { recursive: true });
    }
    const media: Medium[] = [];
    for (let i = 0; i < 3; i++) media.push(await user.upload(randomBytes(5000)));
    for (const { server: origin, id } of media) {
      await user.call("DELETE", `/_synapse/admin/v1/media/${origin}/${id}`);
    }
    const empty = async (): Promise<string[]> =>
      (await run("find", mount, "-mindepth", "1", "-type", "d", "-empty"))
        .split("\n")
        .filter(Boolean);
    expect((await empty()).length).toBeGreaterThanOrEqual(3);
    const stored = await sumsInBucket();
    expect(stored).toMatchObject(given);
    await run("find", mount, "-mindepth", "1", "-type", "d", "-empty", "-delete");
    expect(await empty()).toEqual([]);
    expect(await sumsInBucket()).toEqual(stored);
    expect(await sumsOf(mount)).toEqual(stored);
    const content = randomBytes(1000);
    const medium = await give(content);
    expect(await sumsInBucket(localKey(medium))).toEqual({ "": sha256(content) });
    expect(await site.home.trouble()).toEqual([]);
  });
});
