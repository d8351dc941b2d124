// What matrix-media-repo's import_to_synapse and export_synapse_for_import do to a media store: a file that is read again
// while its writer is still open, thumbnails by temporary name and rename, and walks while all that goes on.
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { type RealMount, startRealMount } from "../support/real-mount.ts";

/** io.Copy of Go reads and writes this much at a time. */
const CHUNK = 32 * 1024;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A medium as the importer writes it: os.Create, io.Copy, and os.Open of the same name before the writer is closed. */
async function importMedium(path: string, bytes: Uint8Array): Promise<string> {
  await fs.mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const writer = await fs.open(path, "w+", 0o666);
  try {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      await writer.write(bytes.subarray(at, at + CHUNK));
    }
    const reader = await fs.open(path, "r");
    try {
      expect((await reader.stat()).size).toBe(bytes.length);
      return sha256(await reader.readFile());
    } finally {
      await reader.close();
    }
  } finally {
    await writer.close();
  }
}

/** os.CreateTemp beside the target, then os.Rename. */
async function placeThumbnail(path: string, bytes: Uint8Array): Promise<void> {
  await fs.mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = join(dirname(path), `.${basename(path)}-${randomBytes(4).toString("hex")}`);
  const writer = await fs.open(temporary, "wx+", 0o600);
  await writer.write(bytes);
  await writer.close();
  await fs.rename(temporary, path);
  await fs.chmod(path, 0o644);
}

/** filepath.WalkDir: names in order, each with its attributes; what went meanwhile is left out. */
async function walk(directory: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) for (const [name, size] of await walk(path)) found.set(name, size);
    else {
      const stat = await fs.lstat(path).catch(() => undefined);
      if (stat !== undefined) found.set(path, stat.size);
    }
  }
  return found;
}

/** Walks until `work` is done; resolves to the number of walks. Names that a walk showed may only go as temporary ones. */
async function walkDuring(root: string, work: Promise<unknown>): Promise<number> {
  const progress = { isDone: false };
  const ended = work.finally(() => {
    progress.isDone = true;
  });
  let walks = 0;
  let before: string[] = [];
  while (!progress.isDone) {
    const seen = await walk(root);
    const lost = before.filter((path) => !seen.has(path));
    expect(lost.filter((path) => !basename(path).startsWith("."))).toEqual([]);
    before = [...seen.keys()];
    walks += 1;
  }
  await ended;
  return walks;
}

async function importAll(mount: RealMount): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const media = Array.from({ length: 24 }, (_, index) => {
    const id = randomBytes(12).toString("hex");
    return { id, bytes: randomBytes(index === 0 ? 9 * 2 ** 20 : 1000 + index * 30_000) };
  });
  const importOne = async ({ id, bytes }: { id: string; bytes: Buffer }): Promise<void> => {
    const path = `${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`;
    const key = `local_content/${path}`;
    const hash = await importMedium(join(mount.mountpoint, key), bytes);
    expect(hash).toBe(sha256(bytes));
    hashes.set(key, hash);
    const thumbnail = `local_thumbnails/${path}/32-32-image-png-crop`;
    await placeThumbnail(join(mount.mountpoint, thumbnail), bytes.subarray(0, 500));
    hashes.set(thumbnail, sha256(bytes.subarray(0, 500)));
  };
  // ten importers at a time
  const queue = [...media];
  const importer = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await importOne(next);
  };
  await Promise.all(Array.from({ length: 10 }, importer));
  return hashes;
}

describe.each(["auto", "off"])("passthrough %s", (passthrough) => {
  test("media of matrix-media-repo are imported, read again while they are open, and exported", async () => {
    const mount = await startRealMount("--preset=synapse", `--passthrough=${passthrough}`);
    try {
      let hashes = new Map<string, string>();
      const imported = importAll(mount).then((result) => {
        hashes = result;
      });
      expect(await walkDuring(mount.mountpoint, imported)).toBeGreaterThan(0);
      expect(hashes.size).toBe(48);
      await mount.umount();
      const listed = (await mount.admin("keys?prefix=")) as { key: string }[];
      expect(listed.map(({ key }) => key).sort()).toEqual([...hashes.keys()].sort());
      await fs.rm(mount.cacheDirectory, { recursive: true });
      await mount.mount();
      // the exporter walks the store and reads all of it
      for (const path of (await walk(mount.mountpoint)).keys()) {
        const key = path.slice(mount.mountpoint.length + 1);
        expect(sha256(await fs.readFile(path))).toBe(hashes.get(key));
        hashes.delete(key);
      }
      expect([...hashes.keys()]).toEqual([]);
    } finally {
      await mount.stop();
    }
  });
});
