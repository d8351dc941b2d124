// Previews of web pages by a real Synapse: in the bucket, or on the local disk where that was asked for.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import type { MatrixUser } from "../support/synapse/matrix-user.ts";
import { type Peer, startWebSite } from "../support/synapse/peers.ts";
import { type Pictures, makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

const folders = ["url_cache", "url_cache_thumbnails"];

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  let pictures: Pictures;
  let web: Peer;

  beforeAll(async () => {
    site = await Site.start({ server, remote: false });
    user = await site.home.register();
    pictures = await makePictures(site.folder);
    web = await startPages();
  });

  afterAll(async () => {
    await web?.stop();
    await site?.stop();
  });

  // both are kept: a page and its picture, and a page with a picture and a description by oEmbed
  async function startPages(): Promise<Peer> {
    const head = (image: string, more = ""): string =>
      `<html><head><meta property="og:title" content="A page"/>` +
      `<meta property="og:image" content="ORIGIN/${image}"/>${more}</head><body>text</body></html>`;
    const oembed = `<link rel="alternate" type="application/json+oembed" href="ORIGIN/oembed.json"/>`;
    const description = { version: "1.0", type: "link", author_name: "An author" };
    return startWebSite({
      "/page.html": { content: head("image.png"), type: "text/html" },
      "/image.png": pictures["noise.png"],
      "/embedded.html": { content: head("small.png", oembed), type: "text/html" },
      "/small.png": pictures["small.png"],
      "/oembed.json": { content: JSON.stringify(description), type: "application/json" },
    });
  }

  let visits = 0;

  async function previewBoth(): Promise<void> {
    // Synapse remembers what it said of a URL
    visits++;
    const pairs = [
      ["page.html", "noise.png"],
      ["embedded.html", "small.png"],
    ] as const;
    for (const [page, picture] of pairs) {
      const asked = new URLSearchParams({ url: `http://${web.name}/${page}?visit=${visits}` });
      const path = `/_matrix/client/v1/media/preview_url?${asked.toString()}`;
      expect(await user.call("GET", path)).toMatchObject({
        "og:title": "A page",
        "matrix:image:size": pictures[picture].content.length,
      });
    }
    await site.daemon.settled();
  }

  /** Sizes of files of previews, by path on the mount. */
  async function kept(): Promise<Record<string, number>> {
    const sizes: Record<string, number> = {};
    for (const folder of folders) {
      const path = join(site.daemon.mountpoint, folder);
      const entries = await readdir(path, { recursive: true, withFileTypes: true });
      for (const entry of entries.filter((one) => one.isFile())) {
        const file = join(entry.parentPath, entry.name);
        sizes[file.slice(site.daemon.mountpoint.length + 1)] = (await readFile(file)).length;
      }
    }
    return sizes;
  }

  /** Makes all previews old, and waits until Synapse has removed them, their thumbnails and the directories of the date. */
  async function expireAll(): Promise<void> {
    await site.home.sql("UPDATE local_media_repository_url_cache SET expires_ts = 1");
    await site.home.sql(
      "UPDATE local_media_repository SET created_ts = 1 WHERE url_cache IS NOT NULL",
    );
    const areEmpty = async (): Promise<boolean> => {
      const lists = folders.map(async (name) => readdir(join(site.daemon.mountpoint, name)));
      return (await Promise.all(lists)).flat().length === 0;
    };
    // Synapse looks every 10 s
    await waitUntil("nothing of the previews is left", areEmpty, 60_000);
    await site.home.untilNoRows(
      "SELECT media_id FROM local_media_repository WHERE url_cache IS NOT NULL",
    );
    await site.daemon.settled();
    expect(await site.home.log()).not.toMatch(/Failed to remove/);
  }

  test("previews are kept in the bucket by date, and go with their directories when they expire", async () => {
    expect(Object.keys(await site.bucket.sizes())).toEqual([]);
    const counts = await site.bucket.countsOf(previewBoth);
    const stored = await site.bucket.sizes();
    const keys = Object.keys(stored);
    const files = keys.filter((key) => /^url_cache\/\d{4}-\d\d-\d\d\/\w{16}$/.test(key));
    const thumbnails = keys.filter((key) => key.startsWith("url_cache_thumbnails/"));
    // two pages, two pictures, one description
    expect(files.length).toBe(5);
    expect(thumbnails.length).toBeGreaterThanOrEqual(5 + 3);
    expect(keys.length).toBe(files.length + thumbnails.length);
    expect(files.map((key) => stored[key])).toContain(pictures["noise.png"].content.length);
    expect(await kept()).toEqual(stored);
    expect(counts).toEqual({ PUT: keys.length });
    expect(await site.bucket.countsOf(expireAll)).toEqual({ DELETE: keys.length });
    expect(await site.bucket.keys()).toEqual([]);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("with the preset they are on the local disk and cost no request, and uploads reach the bucket", async () => {
    await site.daemon.umount();
    await site.daemon.mount("--preset", "synapse");
    await site.daemon.settled();
    const previews = await site.bucket.countsOf(previewBoth);
    expect(previews).toEqual({});
    const files = await kept();
    expect(Object.keys(files).length).toBeGreaterThanOrEqual(5 + 8);
    expect(await site.bucket.keys()).toEqual([]);

    // they are there after another start too
    await site.daemon.umount();
    await site.daemon.mount("--preset", "synapse");
    expect(await kept()).toEqual(files);

    const { content, type } = pictures["noise.png"];
    let stored: string[] = [];
    const uploads = await site.bucket.countsOf(async () => {
      const medium = await user.upload(content, type);
      await site.daemon.settled();
      stored = [localKey(medium), ...Object.keys(await localThumbnails(site.home, medium))];
      expect(await site.bucket.sha256(localKey(medium))).toBe(sha256(content));
    });
    expect(uploads).toEqual({ PUT: 6 });
    expect(await site.bucket.keys()).toEqual(stored.sort());

    expect(await site.bucket.countsOf(expireAll)).toEqual({});
    expect(await kept()).toEqual({});
    expect(await site.bucket.keys()).toEqual(stored);
    expect(await site.home.trouble()).toEqual([]);
  });
});
