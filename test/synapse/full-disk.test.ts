// The disk of the spool fills up under a real Synapse: uploads fail whole, and work again when there is room.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { Medium } from "../support/synapse/matrix-user.ts";
import { parseMxc } from "../support/synapse/matrix-user.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { Site } from "../support/synapse/site.ts";

const run = promisify(execFile);
/** How long a write waits for room, counted from when S3 went away. */
const DEADLINE_MS = 4000;

let site: Site;

beforeAll(async () => {
  site = await Site.start({
    server: chosenServer(),
    remote: false,
    mountOptions: ["--sharing", "exclusive", `--s3-deadline=${DEADLINE_MS}ms`],
    beforeSynapse: async ({ daemon }) => {
      await daemon.umount();
      const words = ["-t", "tmpfs", "-o", "size=32M", "tmpfs", daemon.stateDirectory];
      await run("mount", words);
      await daemon.mount();
    },
  });
});

afterAll(async () => {
  const state = site?.daemon.stateDirectory ?? "";
  // busy until the daemon is gone
  await run("umount", ["-l", state]).catch(() => undefined);
  await site?.stop();
});

test("a full spool fails uploads with 500, keeps what was acknowledged, and recovers", async () => {
  const user = await site.home.register();
  await site.bucket.gate.refuse();
  const media = new Map<Medium, string>();
  const failedAfterMs: number[] = [];
  // pictures too, so that it may also be a thumbnail for which there is no room
  for (let i = 0; i < 200 && failedAfterMs.length < 6; i += 1) {
    const isPicture = i % 2 === 0;
    const content = isPicture ? noisePng(700, 500) : randomBytes(1_000_000);
    const type = isPicture ? "image/png" : "application/octet-stream";
    const startedAt = Date.now();
    const answer = await user.tryUpload(content, type);
    if (answer.status === 200) {
      const { content_uri: uri } = (await answer.json()) as { content_uri: string };
      media.set(parseMxc(uri), sha256(content));
    } else {
      expect(answer.status).toBe(500);
      failedAfterMs.push(Date.now() - startedAt);
    }
  }
  expect(failedAfterMs.length).toBe(6);
  // Synapse closes files where it answers everybody: it must not wait again and again for what cannot come
  expect(Math.min(...failedAfterMs.slice(2))).toBeLessThan(DEADLINE_MS);
  expect(media.size).toBeGreaterThan(5);
  for (const [medium, digest] of media) expect(sha256(await user.download(medium))).toBe(digest);

  await site.bucket.gate.accept();
  await site.daemon.settled(120_000);
  const after = noisePng(700, 500);
  media.set(await user.upload(after, "image/png"), sha256(after));
  await site.daemon.settled();
  const known = new Set<string>();
  for (const [medium, digest] of media) {
    known.add(localKey(medium));
    expect(await site.bucket.sha256(localKey(medium))).toBe(digest);
    const thumbnails = await localThumbnails(site.home, medium);
    const folder = localKey(medium).replace("content", "thumbnails");
    const sizes = await site.bucket.sizes(`${folder}/`);
    for (const [key, length] of Object.entries(thumbnails)) expect(sizes[key], key).toBe(length);
  }
  // of uploads that failed Synapse removes what it had written
  expect(new Set(await site.bucket.keys("local_content/"))).toEqual(known);
  const expected = [/No space left on device|\[Errno 28\]/, /Traceback/, / ERROR /];
  expect(await site.home.trouble(...expected)).toEqual([]);
}, 240_000);
