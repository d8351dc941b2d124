// kill -9 under a real Synapse: of the daemon with uploads waiting, and of Synapse in the middle of a write.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { Site } from "../support/synapse/site.ts";

const run = promisify(execFile);
/** Bytes that are written of an upload while the file HOLD is in Synapse's folder. */
const STUMP = 2 ** 20;
const HOLD = "hold";
const holdWrites = `
import os, time
from synapse.media import media_storage

write = media_storage._write_file_synchronously

def write_or_hold(source, dest):
    if not os.path.exists("${HOLD}"):
        return write(source, dest)
    dest.write(source.read(${STUMP}))
    dest.flush()
    time.sleep(3600)

media_storage._write_file_synchronously = write_or_hold
`;

let site: Site;
let user: MatrixUser;

beforeAll(async () => {
  const mountOptions = ["--sharing", "exclusive", "--protect-mountpoint", "yes"];
  site = await Site.start({
    server: chosenServer(),
    mountOptions,
    remote: false,
    prelude: holdWrites,
  });
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

/** Ends Synapse while it writes what a user uploads; resolves to the path of what it has written. */
async function killInMidWrite(): Promise<string> {
  const folder = join(site.daemon.mountpoint, "local_content");
  const before = new Set(await filesBelow(folder));
  await writeFile(join(site.home.folder, HOLD), "");
  const upload = user.tryUpload(randomBytes(2 * STUMP)).catch(() => undefined);
  let path = "";
  await waitUntil(
    "half of the upload is written",
    async () => {
      path = (await filesBelow(folder)).find((file) => !before.has(file)) ?? "";
      return path !== "" && (await stat(path)).size === STUMP;
    },
    60_000,
  );
  await site.home.kill();
  await upload;
  await rm(join(site.home.folder, HOLD));
  return path;
}

test("a killed Synapse leaves a mount that works, and of its write a file that can be removed", async () => {
  const before = new Set(await site.bucket.keys());
  const path = await killInMidWrite();
  expect((await stat(path)).size).toBe(STUMP);
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
