// What the nightly job of synapse-s3-storage-provider does to a mount of its own bucket: docs/DELETES.md.
import { randomBytes } from "node:crypto";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chosenServer, sha256 } from "../support/synapse/gated-bucket.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";
import { s3MediaUpload } from "../support/synapse/storage-provider.ts";

const BURST = 20;
const trees = ["local_content", "local_thumbnails"];

let site: Site;
let user: MatrixUser;
/** Of all media, by medium. */
const hashes = new Map<Medium, string>();
/** Of all objects, by key. */
let before: Record<string, number> = {};

beforeAll(async () => {
  const mountOptions = ["--sharing", "exclusive", `--delete-burst=${BURST}`];
  site = await Site.start({ server: chosenServer(), remote: false, mountOptions });
  user = await site.home.register();
  const pictures = await makePictures(site.folder);
  for (const { content, type } of Object.values(pictures)) {
    hashes.set(await user.upload(content, type), sha256(content));
  }
  for (let i = 0; i < 8; i += 1) {
    const content = randomBytes(20_000 + i);
    hashes.set(await user.upload(content), sha256(content));
  }
  await site.home.stop();
  await site.daemon.settled();
  before = await site.bucket.sizes();
  const count = Object.keys(before).length;
  if (count <= BURST + 5) throw new Error(`${count} objects are too few for a burst`);
});

afterAll(async () => {
  await site?.stop();
});

/** As the playbook does each night; resolves to what the upload said. */
async function nightlyJob(name: string): Promise<string> {
  const place = join(site.folder, name);
  await mkdir(place);
  const { mountpoint } = site.daemon;
  const config = ["--homeserver-config-path", join(site.home.folder, "homeserver.yaml")];
  await s3MediaUpload(place, "update-db", "0d", ...config);
  await s3MediaUpload(place, "write");
  await s3MediaUpload(place, "check-deleted", mountpoint);
  const to = [mountpoint, site.bucket.name, "--endpoint-url", site.bucket.endpoint];
  return s3MediaUpload(place, "upload", ...to, "--delete");
}

async function remount(...options: string[]): Promise<void> {
  await site.daemon.umount();
  await site.daemon.mount(...options);
}

test("with delete_delay the job deletes no object, is told of, and is undone", async () => {
  await remount("--delete-delay=24h");
  const said = await nightlyJob("guarded");
  const count = Object.keys(before).length;
  expect(said).toContain(`Deleted ${hashes.size} media`);
  expect(said).toContain("Uploaded 0 files");
  // nothing is left to be seen, and everything is there
  expect(await readdir(site.daemon.mountpoint)).toEqual([]);
  await site.daemon.settled();
  expect(await site.bucket.sizes()).toEqual(before);
  const { queue } = await site.daemon.status();
  expect(queue).toMatchObject({ length: 0, delayed: { count }, burst: { count } });
  expect(await site.daemon.log()).toMatch(/files were removed .*pailfs undelete MOUNTPOINT --all/);

  await remount("--delete-delay=24h");
  expect(await readdir(site.daemon.mountpoint)).toEqual([]);
  const told = await site.daemon.pailfs("undelete", site.daemon.mountpoint, "--all");
  expect(told).toBe(`${count} brought back\n`);
  expect((await readdir(site.daemon.mountpoint)).sort()).toEqual(trees);
  await site.home.start();
  for (const [medium, hash] of hashes) expect(sha256(await user.download(medium))).toBe(hash);
  await site.home.stop();
  expect(await site.home.trouble()).toEqual([]);
  await site.daemon.settled();
  expect(await site.bucket.sizes()).toEqual(before);
  expect((await site.daemon.status()).queue.burst).toBeUndefined();
});

test("without it the job destroys the bucket", async () => {
  await remount();
  const said = await nightlyJob("bare");
  expect(said).toContain(`Deleted ${hashes.size} media`);
  await site.daemon.settled();
  expect(await site.bucket.keys()).toEqual([]);
  expect(await site.daemon.log()).toContain("this cannot be undone, as delete_delay is 0");
});
