// --preset synapse under a real Synapse: previews of web pages cost no request, and media are kept as ever.
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser } from "../support/synapse/matrix-user.ts";
import { startWebSite } from "../support/synapse/peers.ts";
import { type Pictures, makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

let site: Site;
let user: MatrixUser;
let pictures: Pictures;

beforeAll(async () => {
  site = await Site.start({
    server: chosenServer(),
    mountOptions: ["--preset", "synapse"],
    remote: false,
  });
  user = await site.home.register();
  pictures = await makePictures(site.folder);
});

afterAll(async () => {
  await site?.stop();
});

async function filesBelow(name: string): Promise<number> {
  const folder = join(site.daemon.mountpoint, name);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

test("previews of web pages and their expiry cost no request, and nothing of them is in the bucket", async () => {
  const { content, type } = pictures["noise.png"];
  const web = await startWebSite({
    "/page.html": {
      content:
        `<html><head><meta property="og:title" content="A page"/>` +
        `<meta property="og:image" content="ORIGIN/image.png"/></head><body>text</body></html>`,
      type: "text/html",
    },
    "/image.png": { content, type },
  });
  await waitUntil(
    "the bucket was listed",
    async () => (await site.daemon.status()).coverage?.complete === true,
  );
  try {
    const counts = await site.bucket.countsOf(async () => {
      const asked = new URLSearchParams({ url: `http://${web.name}/page.html` });
      const path = `/_matrix/client/v1/media/preview_url?${asked.toString()}`;
      const preview: Record<string, unknown> = await user.call("GET", path);
      expect(preview).toMatchObject({ "og:title": "A page", "matrix:image:size": content.length });
      // the page and its picture, and the picture's thumbnails
      expect(await filesBelow("url_cache")).toBe(2);
      expect(await filesBelow("url_cache_thumbnails")).toBeGreaterThan(0);
      const status = await site.daemon.status();
      expect(status.queue.length).toBe(0);

      await site.home.sql("UPDATE local_media_repository_url_cache SET expires_ts = 1");
      await site.home.sql(
        "UPDATE local_media_repository SET created_ts = 1 WHERE url_cache IS NOT NULL",
      );
      const isEmpty = async (name: string): Promise<boolean> =>
        (await readdir(join(site.daemon.mountpoint, name))).length === 0;
      await waitUntil(
        "nothing of the previews is left",
        async () => (await isEmpty("url_cache")) && (await isEmpty("url_cache_thumbnails")),
        60_000,
      );
    });
    expect(counts).toEqual({});
    expect(await site.bucket.keys()).toEqual([]);
  } finally {
    await web.stop();
  }
  expect(await site.home.log()).not.toMatch(/Failed to remove/);
  expect(await site.home.trouble()).toEqual([]);
});

test("an upload is one PUT, and is served after a restart without a cache", async () => {
  const content = randomBytes(300_000);
  let medium = { server: "", id: "" };
  const counts = await site.bucket.countsOf(async () => {
    medium = await user.upload(content);
    // before publish_delay is over
    expect(sha256(await user.download(medium))).toBe(sha256(content));
    await site.daemon.settled();
  });
  expect(counts).toEqual({ PUT: 1 });
  await site.daemon.remountCold();
  const again = await site.bucket.countsOf(async () => {
    expect(sha256(await user.download(medium))).toBe(sha256(content));
  });
  expect(again).toEqual({ GET: 1 });
  expect(await site.home.trouble()).toEqual([]);
});
