// Who may do what: a Synapse that is not root and has no capabilities, root beside it, and a mount that comes and goes
// under a Synapse in a mount namespace of its own.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { expect, onTestFinished, test } from "vitest";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { chosenServer, GatedBucket, sha256 } from "../support/synapse/gated-bucket.ts";
import { Homeserver } from "../support/synapse/homeserver.ts";
import { localKey, localThumbnails } from "../support/synapse/media-layout.ts";
import { MountedDaemon } from "../support/synapse/mounted-daemon.ts";
import { noisePng } from "../support/synapse/noise-png.ts";
import { asUser, otherUser } from "../support/synapse/other-user.ts";
import { synapsePython } from "../support/synapse/real-synapse.ts";

const run = promisify(execFile);

interface Place {
  readonly folder: string;
  readonly bucket: GatedBucket;
}

/** A folder that all may enter, and a bucket; gone after the test. */
async function makePlace(): Promise<Place> {
  const { path: folder, cleanup } = await dir({ unsafeCleanup: true, prefix: "pailfs-synapse-" });
  onTestFinished(async () => cleanup());
  await chmod(folder, 0o755);
  const bucket = await GatedBucket.start(chosenServer(), join(folder, "bucket"));
  onTestFinished(async () => bucket.stop());
  return { folder, bucket };
}

async function mountIn(
  folder: string,
  bucket: GatedBucket,
  options: string[],
): Promise<MountedDaemon> {
  const daemon = new MountedDaemon(folder, bucket, ["--sharing", "exclusive", ...options]);
  onTestFinished(async () => daemon.stop());
  await daemon.mount();
  return daemon;
}

test.each([991, 54_321])(
  "Synapse runs as user %i without capabilities, and root may look and give away",
  async (uid) => {
    const { folder, bucket } = await makePlace();
    const owner = ["--allow-other", "--uid", `${uid}`, "--gid", `${uid}`];
    const daemon = await mountIn(folder, bucket, owner);
    const user = await otherUser(uid, folder);
    onTestFinished(async () => user.end());
    const media = daemon.mountpoint;
    const home = await Homeserver.make(join(folder, "home"), { media, launch: user.launch });
    onTestFinished(async () => home.stop());
    await run("chown", ["-R", `${uid}:${uid}`, home.folder]);
    await home.start();

    const sender = await home.register();
    const picture = noisePng(400, 300);
    const medium = await sender.upload(picture, "image/png");
    expect(sha256(await sender.download(medium))).toBe(sha256(picture));
    const { uid: its, gid } = await stat(join(media, localKey(medium)));
    expect([its, gid]).toEqual([uid, uid]);
    const { stdout } = await run("ls", ["-lR", media]);
    expect(stdout).toContain(localKey(medium).split("/").at(-1));

    // what packages' scripts and entry points do
    await run("chown", ["-R", "0:0", media]);
    expect((await stat(join(media, localKey(medium)))).uid).toBe(0);
    expect((await sender.tryUpload(randomBytes(100))).status).toBe(500);
    const refused = await home.trouble();
    await run("chown", ["-R", `${uid}:${uid}`, media]);
    const later = await sender.upload(picture, "image/png");
    await daemon.settled();
    const thumbnails = [medium, later].map(async (each) => localThumbnails(home, each));
    const known = Object.assign({}, ...(await Promise.all(thumbnails))) as Record<string, number>;
    for (const each of [medium, later]) known[localKey(each)] = picture.length;
    expect(await bucket.sizes()).toEqual(known);
    expect(refused.join()).toContain("Permission denied");
    expect(await home.trouble()).toEqual(refused);
  },
  300_000,
);

test("without allow_other root, who mounted, may look, and others may not", async () => {
  const { folder, bucket } = await makePlace();
  const daemon = await mountIn(folder, bucket, []);
  await mkdir(join(daemon.mountpoint, "local_content"));
  expect((await run("ls", [daemon.mountpoint])).stdout).toBe("local_content\n");
  const looked = run("env", [...asUser(991), "ls", daemon.mountpoint]);
  await expect(looked).rejects.toMatchObject({
    stderr: expect.stringContaining("Permission denied") as unknown,
  });
});

test("a Synapse in a namespace of its own goes on when the mount comes back outside", async () => {
  const { folder, bucket } = await makePlace();
  // as Docker has it: the directory above the mount is bound with propagation "slave"
  const [outside, inside] = [join(folder, "outside"), join(folder, "inside")];
  for (const place of [outside, inside]) await mkdir(place);
  await run("mount", ["--bind", outside, outside]);
  onTestFinished(async () => void (await run("umount", ["-l", outside])));
  await run("mount", ["--make-shared", outside]);
  const daemon = await mountIn(outside, bucket, []);
  const script = 'mount --rbind "$1" "$2" && shift 2 && exec "$@"';
  const alone = ["unshare", "--mount", "--propagation", "slave"];
  const command = [...alone, "sh", "-c", script, "sh", outside, inside, await synapsePython()];
  const media = join(inside, "mnt");
  const home = await Homeserver.make(join(folder, "home"), { media, launch: { command } });
  onTestFinished(async () => home.stop());
  await home.start();

  const sender = await home.register();
  const content = randomBytes(100_000);
  const medium = await sender.upload(content);
  await daemon.kill();
  await waitUntil("the dead mount is gone", async () => !(await isMounted(daemon.mountpoint)));
  await daemon.mount();
  expect(sha256(await sender.download(medium))).toBe(sha256(content));
  const later = await sender.upload(content);
  await daemon.settled();
  expect(await bucket.keys()).toEqual([localKey(medium), localKey(later)].toSorted());
  expect(await home.trouble()).toEqual([]);
}, 240_000);
