// Several processes of one Synapse on the same media: two on one mount, and one on the mount of another host.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser } from "../support/synapse/matrix-user.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { startWebSite } from "../support/synapse/peers.ts";
import { hasPostgres } from "../support/synapse/postgres.ts";
import { type WorkerSite, startWorkerSite } from "../support/synapse/worker-site.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const RACES = isFull ? 50 : 8;
const HANDOVERS = isFull ? 1000 : 100;

describe.skipIf(!hasPostgres())("media workers", () => {
  let site: WorkerSite;
  let user: MatrixUser;

  beforeAll(async () => {
    site = await startWorkerSite();
    user = await site.home.register();
  });

  afterAll(async () => {
    await site?.stop();
  });

  const trouble = async (): Promise<string[]> => {
    const logs = await Promise.all(site.workers.map(async (worker) => worker.log()));
    const lines = logs.join("\n").split("\n");
    return lines.filter((line) => /OSError|\[Errno|FileNotFoundError| CRITICAL /.test(line));
  };

  test("what one host has uploaded, another reads at once", async () => {
    const [first, , third] = site.workers;
    for (let i = 0; i < HANDOVERS; i += 1) {
      const content = randomBytes(2000 + i);
      const medium = await first.as(user).upload(content);
      expect(sha256(await third.as(user).download(medium)), `${i}`).toBe(sha256(content));
    }
    expect(await trouble()).toEqual([]);
  }, 1_200_000);

  test("two workers that fetch the same medium at once keep one file of it", async () => {
    const [first, second] = site.workers;
    // one host: what `sharing` and `ack` are for one
    await site.here.umount();
    await site.here.mount("--sharing", "exclusive");
    const peer = await site.remote.register();
    for (let i = 0; i < RACES; i += 1) {
      const content = noisePng(400 + i, 300);
      const medium = await peer.upload(content, "image/png");
      const both = [first, second].map(async (worker) => worker.as(user).download(medium));
      for (const got of await Promise.all(both)) expect(sha256(got)).toBe(sha256(content));
    }
    await site.here.settled();
    const rows = await site.sql("SELECT filesystem_id FROM remote_media_cache");
    expect(rows.length).toBe(RACES);
    const ids = (await site.bucket.keys("remote_content/")).map((key) =>
      key.split("/").slice(2).join(""),
    );
    expect(ids.toSorted()).toEqual(rows.toSorted());
    const thumbnails = (await site.bucket.keys("remote_thumbnail/")).map((key) =>
      key.split("/").slice(2, 5).join(""),
    );
    expect(new Set(thumbnails)).toEqual(new Set(rows));
    expect(await trouble()).toEqual([]);
  }, 600_000);

  test("the worker that is named removes previews that have expired, the others do not", async () => {
    const web = await startWebSite({
      "/page.html": {
        content: "<html><head><title>A page</title></head></html>",
        type: "text/html",
      },
    });
    const [named, other, there] = site.workers;
    try {
      const asked = new URLSearchParams({ url: `http://${web.name}/page.html` });
      const path = `/_matrix/client/v1/media/preview_url?${asked.toString()}`;
      await other.as(user).call("GET", path);
      await site.here.settled();
      expect((await site.bucket.keys("url_cache/")).length).toBe(1);
      await site.sql("UPDATE local_media_repository_url_cache SET expires_ts = 1");
      await site.sql(
        "UPDATE local_media_repository SET created_ts = 1 WHERE url_cache IS NOT NULL",
      );
      const isGone = async (): Promise<boolean> =>
        (await site.bucket.keys("url_cache/")).length === 0;
      await waitUntil("the preview is gone from the bucket", isGone, 90_000);
    } finally {
      await web.stop();
    }
    const job = "Running url preview cache expiry";
    expect(await named.log()).toContain(job);
    for (const worker of [other, there]) expect(await worker.log()).not.toContain(job);
  }, 240_000);
});
