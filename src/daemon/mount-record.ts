// A small file per live mount in the run-time directory: how commands find the daemon behind a mount point.
import { createHash } from "node:crypto";
import { lstat, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "./make-directory.ts";

/** Enough to find a daemon. */
export interface MountRecord {
  readonly mountpoint: string;
  readonly source: string;
  readonly pid: number;
  /** The control socket. */
  readonly socketPath: string;
  readonly startedMs: number;
  /** How long umount(8) is to wait for uploads. */
  readonly umountWaitMs?: number;
}

/** Writes a record into the first directory of ours that takes it; resolves to its path, or undefined when none does. */
export async function writeMountRecord(
  directories: readonly string[],
  record: MountRecord,
): Promise<string | undefined> {
  // the pid too: a daemon that still drains may have lost its mount point to the next
  const hash = createHash("sha256").update(record.mountpoint).digest("hex").slice(0, 10);
  const name = `${hash}-${record.pid}.json`;
  for (const directory of directories) {
    const path = join(directory, name);
    try {
      await makeDirectory(directory, 0o755);
      if (!(await isTrusted(directory))) continue;
      await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${path}.new`, path);
      return path;
    } catch {
      // the next directory
    }
  }
  return undefined;
}

// below /tmp somebody else may have made it in our name
async function isTrusted(directory: string): Promise<boolean> {
  const { uid } = await lstat(directory);
  return uid === 0 || uid === process.geteuid?.();
}

/** The records of all directories of ours, newest mount first; what cannot be read is left out. */
export async function readMountRecords(directories: readonly string[]): Promise<MountRecord[]> {
  const paths = await Promise.all(
    directories.map(async (directory) => {
      const trusted = await isTrusted(directory).catch(() => false);
      const names = trusted ? await readdir(directory).catch(() => []) : [];
      return names.filter((name) => name.endsWith(".json")).map((name) => join(directory, name));
    }),
  );
  const records = await Promise.all(paths.flat().map(readRecord));
  return records.filter((record) => record !== undefined).sort((a, b) => b.startedMs - a.startedMs);
}

/** Removes a record; a missing one is fine. */
export async function removeMountRecord(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

async function readRecord(path: string): Promise<MountRecord | undefined> {
  try {
    const record = parseRecord(await readFile(path, "utf8"));
    if (record === undefined || isAlive(record.pid)) return record;
    await removeMountRecord(path);
    return undefined;
  } catch {
    return undefined;
  }
}

/** The record in a file's text; undefined when it is none. */
export function parseRecord(text: string): MountRecord | undefined {
  let value: Partial<MountRecord>;
  try {
    value = JSON.parse(text) as Partial<MountRecord>;
  } catch {
    return undefined;
  }
  const { mountpoint, source, pid, socketPath, startedMs, umountWaitMs } = value;
  if (typeof mountpoint !== "string" || typeof source !== "string") return undefined;
  if (typeof pid !== "number" || typeof socketPath !== "string") return undefined;
  const known = { mountpoint, source, pid, socketPath, startedMs: startedMs ?? 0 };
  return typeof umountWaitMs === "number" ? { ...known, umountWaitMs } : known;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, and someone else's
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
