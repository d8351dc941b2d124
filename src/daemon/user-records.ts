// What root sees of the mounts of others: their records, each believed only where the kernel says that the mount is theirs.
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMountTable } from "../posix/mount-table.ts";
import { type MountRecord, parseRecord } from "./mount-record.ts";

const MAX_BYTES = 65_536;

/** The records of all users but root, for root. */
export async function readUserRecords(): Promise<MountRecord[]> {
  const table = await readMountTable();
  const records: MountRecord[] = [];
  for (const path of await recordPaths()) {
    const found = await readOwned(path);
    if (found === undefined) continue;
    const { record, uid } = found;
    const mount = table.findLast(({ mountpoint }) => mountpoint === record.mountpoint);
    if (mount?.userId === uid) records.push(record);
  }
  return records;
}

async function recordPaths(): Promise<string[]> {
  const users = await readdir("/run/user").catch(() => []);
  const own = (await readdir(tmpdir()).catch(() => [])).filter((name) => /^pailfs-\d+$/.test(name));
  const directories = [
    ...users.map((uid) => join("/run/user", uid, "pailfs")),
    ...own.map((name) => join(tmpdir(), name)),
  ];
  const paths = directories.map(async (directory) => {
    const names = await readdir(directory).catch(() => []);
    return names.filter((name) => name.endsWith(".json")).map((name) => join(directory, name));
  });
  return (await Promise.all(paths)).flat();
}

// a file of somebody else's: no link to follow, no pipe to wait for, no more than a record has
async function readOwned(path: string): Promise<{ record: MountRecord; uid: number } | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_BYTES || stat.uid === 0) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    const record = parseRecord(buffer.toString("utf8", 0, bytesRead));
    return record && { record, uid: stat.uid };
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}
