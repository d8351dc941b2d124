// A bucket that the real synapse-s3-storage-provider and s3_media_upload have filled is mounted as it is, and the provider
// reads what the mount has written.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { expect, onTestFinished, test } from "vitest";
import type { S3Config } from "../../src/s3/s3-call.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { BucketServer } from "../support/boot/bucket-server.ts";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { versitygw } from "../support/s3-servers.ts";
import { asKey } from "../support/s3-store.ts";
import { type ServerName, sha256 } from "../support/synapse/gated-bucket.ts";
import { Homeserver } from "../support/synapse/homeserver.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import {
  type ProviderSettings,
  providerConfig,
  providerPrelude,
  uploadByScript,
} from "../support/synapse/storage-provider.ts";

const run = promisify(execFile);
const top = new URL("../../", import.meta.url).pathname;
const small = { width: 32, height: 32, method: "crop" } as const;

/** What operators have, side by side: a Synapse stores with each of its providers. VersityGW ignores customer keys. */
const places = [
  {
    server: "loopback",
    prefix: "p",
    storageClass: "STANDARD_IA",
    customerKey: "0123456789abcdefghijklmnopqrstuv",
  },
  { server: "versitygw", prefix: "p/", storageClass: "STANDARD" },
  { server: "loopback", prefix: "", storageClass: "STANDARD_IA" },
] as const;

/** A bucket that a provider and a mount take in turns. */
interface Place {
  readonly folder: string;
  readonly settings: ProviderSettings;
  readonly store: S3ObjectStore;
}

async function noise(): Promise<Buffer> {
  const code =
    "import sys; from synapse.picture import noise_png; sys.stdout.buffer.write(noise_png(300, 200))";
  const options = { cwd: join(top, "scripts"), encoding: "buffer" } as const;
  return (await run("python3", ["-B", "-c", code], options)).stdout;
}

/** Media by what they were when they were uploaded: SHA-256, hex. */
type Known = Map<Medium, string>;

async function upload(user: MatrixUser, known: Known, content: Buffer, type?: string) {
  const medium = await user.upload(content, type);
  known.set(medium, sha256(content));
  return medium;
}

async function expectAll(user: MatrixUser, known: Known): Promise<void> {
  for (const [medium, hash] of known) expect(sha256(await user.download(medium))).toBe(hash);
}

const pathOf = (tree: string, { id }: Medium): string =>
  `${tree}/${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`;

/** A server for one test; asked directly, since boto3 is not who the gate of other tests was made for. */
async function startServer(name: ServerName, folder: string): Promise<S3Config> {
  if (name === "versitygw") {
    const server = await versitygw.start();
    if (server === undefined) throw new Error("versitygw is not there: scripts/test builds it");
    onTestFinished(async () => server.stop());
    return server.config;
  }
  await mkdir(folder);
  const server = await BucketServer.start(folder);
  onTestFinished(async () => server.stop());
  const { endpoint } = server;
  return { bucket: "bucket", endpoint, credentials: async () => testLogin, deadlineMs: 10_000 };
}

async function startPlace(
  folder: string,
  { server, ...asked }: (typeof places)[number],
): Promise<Place> {
  await mkdir(folder);
  const config = await startServer(server, join(folder, "bucket"));
  const store = new S3ObjectStore(config);
  onTestFinished(async () => store.close());
  const settings = { ...asked, endpoint: config.endpoint ?? "", bucket: config.bucket };
  return { folder, settings, store };
}

/** Names of what is below a path, as they are below the prefix. */
async function filesIn({ store, settings }: Place, path = ""): Promise<string[]> {
  const { objects } = await store.listObjects({ prefix: settings.prefix + path });
  return objects.map(({ key }) => key.slice(settings.prefix.length));
}

async function removeFrom({ store, settings }: Place, path: string): Promise<void> {
  await store.deleteObject(asKey(settings.prefix + path));
}

async function pailfs(...words: string[]): Promise<string> {
  const keys = {
    AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
    AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
  };
  const env = { ...process.env, ...keys };
  const argv = [join(top, "bin/pailfs.js"), ...words];
  return (await run(process.execPath, argv, { env, timeout: 120_000 })).stdout;
}

/** Mounts the bucket below the raw prefix; resolves to the mount point. */
async function mount({ folder, settings }: Place): Promise<string> {
  const mountpoint = join(folder, "mnt");
  await mkdir(mountpoint);
  onTestFinished(async () => {
    if (await isMounted(mountpoint)) await pailfs("umount", mountpoint, "--lazy");
  });
  const options = ["--endpoint", settings.endpoint, "--min-free", "0", "--sharing", "exclusive"];
  const own = ["cache", "state"].map((name) => `--${name}-dir=${join(folder, name)}`);
  const log = `--log-file=${join(folder, "pailfs.log")}`;
  if (settings.customerKey !== undefined) {
    const keyFile = join(folder, "sse.key");
    await writeFile(keyFile, settings.customerKey, { mode: 0o600 });
    options.push("--sse-customer-key-file", keyFile);
  }
  if (settings.storageClass !== "STANDARD") options.push("--storage-class", settings.storageClass);
  const source = `${settings.bucket}:${settings.prefix}`;
  await pailfs("mount", source, mountpoint, ...options, ...own, log);
  return mountpoint;
}

/** SHA-256 of each file below a directory, by path. */
async function hashesOf(directory: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    hashes[relative(directory, path)] = sha256(await readFile(path));
  }
  return hashes;
}

test("buckets of the storage provider are mounted as they are, and it reads what mounts have written", async () => {
  const scratch = await dir({ unsafeCleanup: true, prefix: "pailfs-provider-" });
  onTestFinished(async () => scratch.cleanup());
  const folder = scratch.path;
  await chmod(folder, 0o755);
  const all = await Promise.all(
    places.map(async (place, i) => startPlace(join(folder, `place${i}`), place)),
  );
  const [first, second, third] = all as [Place, Place, Place];

  const media = join(folder, "media");
  await mkdir(media);
  const home = await Homeserver.make(join(folder, "home"), {
    media,
    prelude: await providerPrelude(),
  });
  onTestFinished(async () => home.stop());
  const providers = all.flatMap(({ settings }) => providerConfig(settings));
  const known: Known = new Map();
  await home.start({ media_storage_providers: providers });
  const user = await home.register();

  // the provider's own uploads; the second is one in parts to boto3
  const picture = await upload(user, known, await noise(), "image/png");
  await upload(user, known, randomBytes(9 * 2 ** 20));
  // and one that it has lost, so that the script has something to do
  const late = await upload(user, known, randomBytes(10_000));
  await home.stop();
  const yaml = join(home.folder, "homeserver.yaml");
  const local = await hashesOf(media);
  for (const place of all) {
    await removeFrom(place, pathOf("local_content", late));
    const told = await uploadByScript(join(place.folder, "script"), media, yaml, place.settings);
    expect(told).toContain("Uploaded 1 files");
    // the beginning of every key is the prefix, and nothing else
    expect((await filesIn(place)).sort()).toEqual(Object.keys(local).sort());
  }

  // each mount has the files, and the same server runs on one, without the provider and without the old files
  const mounts = await Promise.all(all.map(mount));
  for (const mountpoint of mounts) expect(await hashesOf(mountpoint)).toEqual(local);
  await rm(media, { recursive: true });
  const [mounted = "", ...others] = mounts;
  await home.start({ media_store_path: mounted, media_storage_providers: [] });
  await expectAll(user, known);
  const before = await user.thumbnail(picture, small);
  await rm(join(mounted, pathOf("local_thumbnails", picture)), { recursive: true });
  expect((await user.thumbnail(picture, small)).length).toBe(before.length);
  await upload(user, known, await noise(), "image/png");
  const fresh = await upload(user, known, randomBytes(200_000));
  await home.stop();
  for (const other of others) await cp(mounted, other, { recursive: true, force: false });
  for (const mountpoint of mounts) await pailfs("umount", mountpoint);
  expect(await filesIn(first, pathOf("local_thumbnails", picture))).toHaveLength(1);

  // and back: the providers have nothing but the buckets, and two of them what the others lack
  await mkdir(media);
  await removeFrom(first, pathOf("local_content", fresh));
  await removeFrom(third, pathOf("local_content", fresh));
  await removeFrom(first, pathOf("local_content", late));
  await removeFrom(second, pathOf("local_content", late));
  await home.start({ media_store_path: media, media_storage_providers: providers });
  await expectAll(user, known);
  expect(await home.trouble()).toEqual([]);
}, 400_000);
