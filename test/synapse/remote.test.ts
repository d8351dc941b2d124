// Media of other servers, kept in the bucket by a real Synapse.
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser } from "../support/synapse/matrix-user.ts";
import { remoteKeys } from "../support/synapse/media-layout.ts";
import { startBrokenHomeserver } from "../support/synapse/peers.ts";
import { type Pictures, makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

// what Synapse logs of a peer that fails
const peerFailed = [/Unable to fetch remote media/, /Failed to fetch remote media/];

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  let other: MatrixUser;
  let pictures: Pictures;

  beforeAll(async () => {
    site = await Site.start({ server });
    user = await site.home.register();
    other = await site.remote.register();
    pictures = await makePictures(site.folder);
  });

  afterAll(async () => {
    await site?.stop();
  });

  test("a medium of another server is fetched once, kept in the bucket, and served from there", async () => {
    const content = randomBytes(700_000);
    const medium = await other.upload(content);
    const fetchIt = async (): Promise<void> => {
      expect(sha256(await user.download(medium))).toBe(sha256(content));
      await site.daemon.settled();
    };
    expect(await site.bucket.countsOf(fetchIt)).toEqual({ PUT: 1 });
    const { key } = (await remoteKeys(site.home, medium)) ?? { key: "unknown" };
    // the other server's name has a port
    expect(key).toMatch(/^remote_content\/localhost:\d+\//);
    expect(await site.bucket.sizes("remote_content/")).toEqual({ [key]: content.length });
    expect(await site.bucket.sha256(key)).toBe(sha256(content));
    await site.remote.stop();
    expect(await site.bucket.countsOf(fetchIt)).toEqual({});
    await site.daemon.remountCold();
    expect(await site.bucket.countsOf(fetchIt)).toEqual({ GET: 1 });
    await site.remote.start();
    expect(await site.home.trouble()).toEqual([]);
  });

  test("a thumbnail of another server's picture is made here, and kept with the picture", async () => {
    const { content, type } = pictures["noise.png"];
    const medium = await other.upload(content, type);
    const size = { width: 320, height: 240, method: "scale" } as const;
    let first: Buffer = Buffer.alloc(0);
    const counts = await site.bucket.countsOf(async () => {
      first = await user.thumbnail(medium, size);
      await site.daemon.settled();
    });
    const keys = await remoteKeys(site.home, medium);
    if (keys === undefined) throw new Error("the medium is not known");
    const thumbnails = Object.keys(keys.thumbnails);
    expect(thumbnails.length).toBe(5);
    expect(counts).toEqual({ PUT: 1 + thumbnails.length });
    expect(await site.bucket.sizes("remote_thumbnail/")).toEqual(keys.thumbnails);
    const scaled = thumbnails.find((key) => key.includes("/320-224-")) ?? "none";
    expect(await site.bucket.sha256(scaled)).toBe(sha256(first));
    await site.daemon.remountCold();
    const again = await site.bucket.countsOf(async () => {
      expect(sha256(await user.thumbnail(medium, size))).toBe(sha256(first));
    });
    // Synapse opens the original too, and does not read it
    expect(again).toEqual({ GET: 1 });
    expect(await site.home.trouble()).toEqual([]);
  });

  // Synapse leaves the empty file of a fetch that failed; in the bucket as on a plain disk
  test("a medium that the other server does not have is a 404, and leaves no more than on a plain disk", async () => {
    const before = await site.bucket.keys("remote_content/");
    const unknown = { server: site.remote.name, id: "a".repeat(24) };
    expect((await user.tryDownload(unknown)).status).toBe(404);
    await site.daemon.settled();
    const left = Object.entries(await site.bucket.sizes("remote_content/"))
      .filter(([key]) => !before.includes(key))
      .map(([, size]) => size);
    const unknownHere = { server: site.home.name, id: "a".repeat(24) };
    expect((await other.tryDownload(unknownHere)).status).toBe(404);
    const plain = join(site.folder, "remote-media");
    const onPlainDisk = (await readdir(plain, { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile() && entry.parentPath.includes(`remote_content/${site.home.name}`),
    );
    expect(left).toEqual(onPlainDisk.map(() => 0));
    expect(await remoteKeys(site.home, unknown)).toBeUndefined();
    expect(await site.home.trouble(...peerFailed)).toEqual([]);
  });

  test("a medium that breaks off is an error, and known by no name", async () => {
    const broken = await startBrokenHomeserver(200_000);
    try {
      const before = await site.bucket.keys();
      const medium = { server: broken.name, id: "b".repeat(24) };
      const answer = await user.tryDownload(medium);
      expect([404, 502, 504]).toContain(answer.status);
      expect(broken.asked()).toBeGreaterThan(0);
      await site.daemon.settled();
      expect(await remoteKeys(site.home, medium)).toBeUndefined();
      const sizes = await site.bucket.sizes();
      const left = Object.keys(sizes).filter((key) => !before.includes(key));
      // at most what came, under a name of its own
      expect(left.length).toBeLessThanOrEqual(1);
      for (const key of left) {
        expect(key).toContain(`remote_content/${broken.name}/`);
        expect(sizes[key]).toBeLessThanOrEqual(200_000);
      }
    } finally {
      await broken.stop();
    }
    expect(await site.home.trouble(...peerFailed)).toEqual([]);
  }, 180_000);
});
