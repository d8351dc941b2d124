// Where data goes that must not be published and must not be deleted.
import { open, readdir, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Errno, errnoOf, FsError, toSystemFsError } from "../posix/errno.ts";
import { syncDirectory } from "../posix/sync-directory.ts";
import type { QueueItem } from "./queue-item.ts";
import type { QuarantineNote } from "./staged-files.ts";

/** Moves the file at `from` to `to`, its note (`to`.json) first; durable when it resolves. Rejects with a system error. */
export async function quarantineFile(
  from: string,
  to: string,
  note: QuarantineNote,
): Promise<string> {
  const about = { ...note, quarantined: new Date().toISOString() };
  const handle = await open(`${to}.json`, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(about, undefined, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(from, to);
  await syncDirectory(dirname(to));
  return to;
}

/** The quarantine of one state directory, as `pailfs queue` shows it. */
export class Quarantine {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, "quarantine");
  }

  /** Ids of quarantined files after `after`, in order. Rejects with FsError. */
  async ids(after: string): Promise<readonly string[]> {
    try {
      const names = await readdir(this.#directory);
      return names.filter((name) => isId(name) && name > after).sort();
    } catch (error) {
      throw toSystemFsError(error, "Cannot look through the quarantine");
    }
  }

  /** Rejects with FsError ENOENT when it is not there (any more). */
  async item(id: string): Promise<QueueItem> {
    const path = this.path(id);
    try {
      const { size, ctimeMs } = await stat(path);
      const { reason, key } = await readNote(`${path}.json`);
      return {
        id,
        state: "quarantined",
        kind: "put",
        bytes: size,
        sinceMs: Math.round(ctimeMs),
        reason,
        ...(key === undefined ? {} : { key }),
      };
    } catch (error) {
      throw missing(error, id);
    }
  }

  /** Where the bytes are; throws FsError ENOENT for what can be no id. */
  path(id: string): string {
    if (isId(id)) return join(this.#directory, id);
    throw new FsError("ENOENT", `Nothing in quarantine is called "${id}"`);
  }

  /** Deletes the bytes and their note; rejects with FsError. */
  async discard(id: string): Promise<void> {
    const path = this.path(id);
    try {
      await unlink(path);
      await unlink(`${path}.json`);
    } catch (error) {
      throw missing(error, id);
    }
  }
}

function isId(name: string): boolean {
  return /^[0-9a-z]+-[0-9a-z]+$/.test(name);
}

function missing(error: unknown, id: string): FsError {
  if (errnoOf(error) !== Errno.ENOENT) return toSystemFsError(error, `Cannot use ${id}`);
  return new FsError("ENOENT", `Nothing in quarantine is called "${id}" (any more)`);
}

async function readNote(path: string): Promise<QuarantineNote> {
  try {
    const { reason, key } = JSON.parse(await readFile(path, "utf8")) as Partial<QuarantineNote>;
    return { reason: `${reason}`, ...(typeof key === "string" ? { key } : {}) };
  } catch {
    return { reason: "its note cannot be read" };
  }
}
