// kill -9 under a real Synapse: of the daemon with uploads waiting, and of Synapse in the middle of a write.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { Site } from "../support/synapse/site.ts";

const run = promisify(execFile);
/** Large enough to be seen while it is written. */
const LARGE = 45 * 2 ** 20;

let site: Site;
let user: MatrixUser;

beforeAll(async () => {
  const mountOptions = ["--sharing", "exclusive", "--protect-mountpoint", "yes"];
  site = await Site.start({ server: "loopback", mountOptions, remote: false });
  user = await site.home.register();
});

afterAll(async () => {
  await site?.daemon.stop();
  // the directory below the mount is immutable
  await run("chattr", ["-i", site?.daemon.mountpoint ?? ""]).catch(() => undefined);
  await site?.stop();
});

async function untilUnmounted(): Promise<void> {
  const { mountpoint } = site.daemon;
  await waitUntil("the dead mount is gone", async () => !(await isMounted(mountpoint)), 30_000);
}

test("a killed daemon loses nothing that was uploaded, and Synapse goes on with the next one", async () => {
  await site.bucket.gate.refuse();
  const media = new Map<Medium, string>();
  for (let i = 0; i < 10; i += 1) {
    const isPicture = i % 2 === 0;
    const content = isPicture ? noisePng(300, 200) : randomBytes(200_000);
    media.set(await user.upload(content, isPicture ? "image/png" : undefined), sha256(content));
  }
  await site.daemon.kill();
  await untilUnmounted();
  // nothing is written beside the mount
  expect((await user.tryUpload(randomBytes(1000))).status).toBe(500);
  expect(await readdir(site.daemon.mountpoint)).toEqual([]);
  const during = await site.home.trouble();

  await site.daemon.mount();
  for (const [medium, digest] of media) expect(sha256(await user.download(medium))).toBe(digest);
  const later = randomBytes(1000);
  media.set(await user.upload(later), sha256(later));
  await site.bucket.gate.accept();
  await site.daemon.settled(120_000);
  for (const [medium, digest] of media) {
    expect(await site.bucket.sha256(localKey(medium))).toBe(digest);
    const sizes = await site.bucket.sizes(localKey(medium).replace("content", "thumbnails"));
    expect(sizes).toEqual(await localThumbnails(site.home, medium));
  }
  expect(await site.home.trouble()).toEqual(during);
}, 240_000);

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name));
}

/** Ends Synapse while it writes what a user uploads; resolves to the path and size of what it has written. */
async function killInMidWrite(): Promise<{ readonly path: string; readonly size: number }> {
  const folder = join(site.daemon.mountpoint, "local_content");
  const before = new Set(await filesBelow(folder));
  const upload = user.tryUpload(randomBytes(LARGE)).then(
    async (answer) => answer.text(),
    () => "cut",
  );
  const isDone = new AbortController();
  void upload.then(() => isDone.abort());
  while (!isDone.signal.aborted) {
    const path = (await filesBelow(folder)).find((file) => !before.has(file));
    if (path === undefined) continue;
    while (!isDone.signal.aborted) {
      const { size } = await stat(path);
      if (size === 0) {
        await turn();
        continue;
      }
      if (size === LARGE) break;
      await site.home.kill();
      await upload;
      return { path, size };
    }
  }
  throw new Error(`The upload was over before it was seen: ${await upload}`);
}

test("a killed Synapse leaves a mount that works, and of its write a file that can be removed", async () => {
  const before = new Set(await site.bucket.keys());
  const { path } = await killInMidWrite();
  const { size } = await stat(path);
  expect(size).toBeGreaterThan(0);
  expect(size).toBeLessThan(LARGE);
  await site.daemon.settled();
  const key = path.slice(site.daemon.mountpoint.length + 1);
  expect((await site.bucket.keys()).filter((name) => !before.has(name))).toEqual([key]);
  // what a collector of orphans goes by
  await site.home.start();
  const rows = await site.home.sql("SELECT media_id FROM local_media_repository");
  expect(rows.map(([id]) => localKey({ server: "", id: String(id) }))).not.toContain(key);
  await rm(path);
  await site.daemon.settled();
  expect(new Set(await site.bucket.keys())).toEqual(before);
  const content = randomBytes(100_000);
  expect(sha256(await user.download(await user.upload(content)))).toBe(sha256(content));
}, 240_000);
