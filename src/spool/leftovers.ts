// What lies in a spool directory at the start.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { log } from "../log.ts";
import { Errno, errnoOf, toSystemFsError } from "../posix/errno.ts";
import { STAT_BLOCK } from "../posix/stat.ts";
import { STAGED_ID } from "./spare-files.ts";

/** A staged file; `bytes`: what it takes of the disk. */
export interface Leftover {
  readonly id: string;
  readonly size: number;
  readonly bytes: number;
}

const STATS_AT_ONCE = 64;

/** The staged files of a directory that are not known yet; rejects with FsError. */
export async function findLeftovers(
  directory: string,
  isKnown: (id: string) => boolean,
): Promise<Leftover[]> {
  const found: Leftover[] = [];
  try {
    const all = await readdir(directory);
    const foreign = all.filter((name) => !STAGED_ID.test(name));
    // nobody's to delete but theirs who put them there
    if (foreign.length > 0) log.warn("Left alone in %j: %j", directory, foreign);
    const ids = all.filter((id) => STAGED_ID.test(id) && !isKnown(id));
    for (let start = 0; start < ids.length; start += STATS_AT_ONCE) {
      const stats = ids.slice(start, start + STATS_AT_ONCE).map(async (id) => {
        // a delete or an adoption that a stop left under way may be done by now
        const file = await stat(join(directory, id)).catch(undefinedIfAbsent);
        if (file) found.push({ id, size: file.size, bytes: file.blocks * STAT_BLOCK });
      });
      await Promise.all(stats);
    }
    return found;
  } catch (error) {
    throw toSystemFsError(error, "Cannot look through the spool");
  }
}

function undefinedIfAbsent(error: unknown): undefined {
  if (errnoOf(error) !== Errno.ENOENT) throw error;
}
