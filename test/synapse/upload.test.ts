// Uploads through a real Synapse, and what they leave in the bucket.
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import { type MatrixUser, expectStatus, parseMxc } from "../support/synapse/matrix-user.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import { type Pictures, makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

const MiB = 1024 * 1024;

// keeps the bytes of every medium that it is shown, and refuses those that hold a word
const checker = `
import hashlib, json, os
class Checker:
    def __init__(self, config, api):
        self._seen = config["seen"]
        api.register_spam_checker_callbacks(check_media_file_for_spam=self.check)
    async def check(self, file_wrapper, file_info):
        chunks = []
        await file_wrapper.write_chunks_to(chunks.append)
        content = b"".join(chunks)
        with open(self._seen, "a") as seen:
            print(hashlib.sha256(content).hexdigest(), file=seen)
        return b"a word that is refused" in content
    @staticmethod
    def parse_config(config):
        return config
`;

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  let pictures: Pictures;
  /** Length of all that must be in the bucket, by key. */
  const stored: Record<string, number> = {};

  beforeAll(async () => {
    site = await Site.start({ server, remote: false });
    user = await site.home.register();
    pictures = await makePictures(site.folder);
  });

  afterAll(async () => {
    await site?.stop();
  });

  /** Uploads, and checks what became of it; the number of thumbnails. */
  async function uploadAndCheck(content: Buffer, type?: string): Promise<number> {
    let thumbnails: Record<string, number> = {};
    const counts = await site.bucket.countsOf(async () => {
      const medium = await user.upload(content, type);
      await site.daemon.settled();
      thumbnails = await localThumbnails(site.home, medium);
      stored[localKey(medium)] = content.length;
      expect(await site.bucket.sha256(localKey(medium))).toBe(sha256(content));
      expect(sha256(await user.download(medium))).toBe(sha256(content));
    });
    Object.assign(stored, thumbnails);
    expect(await site.bucket.sizes()).toEqual(stored);
    const keys = Object.keys(thumbnails);
    for (const key of keys) {
      const onMount = await readFile(join(site.daemon.mountpoint, key));
      expect(await site.bucket.sha256(key)).toBe(sha256(onMount));
    }
    // as test/golden/requests.md has it for sharing=exclusive
    expect(counts).toEqual({ PUT: 1 + keys.length });
    return keys.length;
  }

  test("files of any size are one PUT and one object, and nothing else", async () => {
    for (const size of [0, 1, 20, Math.floor(49.9 * MiB)]) {
      expect(await uploadAndCheck(randomBytes(size))).toBe(0);
    }
    expect(await site.home.trouble()).toEqual([]);
  });

  test("a picture and its thumbnails are objects with the names and lengths that the database knows", async () => {
    const { "noise.png": png, "turned.jpg": jpeg } = pictures;
    expect(await uploadAndCheck(png.content, png.type)).toBe(5);
    expect(await uploadAndCheck(jpeg.content, jpeg.type)).toBeGreaterThanOrEqual(4);
    const { "animated.gif": gif, "alpha.webp": webp } = pictures;
    expect(await uploadAndCheck(gif.content, gif.type)).toBeGreaterThanOrEqual(3);
    expect(await uploadAndCheck(webp.content, webp.type)).toBeGreaterThanOrEqual(3);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("ten uploads of 30 MB at once are ten objects", async () => {
    const body = randomBytes(30_000_000);
    const counts = await site.bucket.countsOf(async () => {
      const uploads = Array.from({ length: 10 }, async (_, i) => {
        const content = Buffer.from(body);
        content.writeUInt8(i, 0);
        const medium = await user.upload(content);
        return { key: localKey(medium), sum: sha256(content) };
      });
      const made = await Promise.all(uploads);
      await site.daemon.settled(120_000);
      for (const { key, sum } of made) {
        stored[key] = body.length;
        expect(await site.bucket.sha256(key)).toBe(sum);
      }
    });
    expect(await site.bucket.sizes()).toEqual(stored);
    expect(counts).toEqual({ PUT: 10 });
    expect(await site.home.trouble()).toEqual([]);
  }, 300_000);

  test("a medium can be asked for before it is uploaded, and comes once it is", async () => {
    const told = await user.call<{ content_uri: string }>("POST", "/_matrix/media/v1/create");
    const medium = parseMxc(told.content_uri);
    const early = await user.tryDownload(medium, { timeout_ms: "1" });
    expect(early.status).toBe(504);
    expect(await early.json()).toMatchObject({ errcode: "M_NOT_YET_UPLOADED" });
    const waiting = user.tryDownload(medium, { timeout_ms: "20000" });
    const content = randomBytes(100_000);
    const answer = await user.request(`/_matrix/media/v3/upload/${medium.server}/${medium.id}`, {
      method: "PUT",
      body: new Uint8Array(content),
    });
    await expectStatus(answer, 200);
    const downloaded = await expectStatus(await waiting, 200);
    expect(sha256(new Uint8Array(await downloaded.arrayBuffer()))).toBe(sha256(content));
    await site.daemon.settled();
    stored[localKey(medium)] = content.length;
    expect(await site.bucket.sizes()).toEqual(stored);
    expect(await site.bucket.sha256(localKey(medium))).toBe(sha256(content));
    expect(await site.home.trouble()).toEqual([]);
  });

  test("a module sees the bytes of an upload, and what it refuses is no object", async () => {
    const seen = join(site.folder, "seen");
    await writeFile(join(site.home.folder, "checker.py"), checker);
    await site.home.stop();
    await site.home.start({ modules: [{ module: "checker.Checker", config: { seen } }] });
    const good = randomBytes(200_000);
    const medium = await user.upload(good);
    const bad = Buffer.concat([randomBytes(50_000), Buffer.from("a word that is refused")]);
    expect((await user.tryUpload(bad)).status).toBe(400);
    const { "noise.png": png } = pictures;
    const picture = await user.upload(png.content, png.type);
    await site.daemon.settled();
    stored[localKey(medium)] = good.length;
    stored[localKey(picture)] = png.content.length;
    const thumbnails = await localThumbnails(site.home, picture);
    Object.assign(stored, thumbnails);
    expect(await site.bucket.sizes()).toEqual(stored);
    const sums = [sha256(good), sha256(bad), sha256(png.content)];
    for (const key of Object.keys(thumbnails)) sums.push(await site.bucket.sha256(key));
    expect((await readFile(seen, "utf8")).split("\n").filter(Boolean).sort()).toEqual(sums.sort());
    expect(await site.home.trouble()).toEqual([]);
  });
});
