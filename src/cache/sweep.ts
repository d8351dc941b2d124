// Removes files that no record knows: what a crash left between a write and its record.
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import type { DiskIo } from "./disk-io.ts";
import type { ObjectId } from "./object-record.ts";

// a background job that nobody waits for
const PAUSE_MS = 50;

/** Goes through the directories below `objects` slowly and calls `removeUnknown` for each object. Never rejects. */
export async function sweepLeftovers(
  io: DiskIo,
  objects: string,
  removeUnknown: (id: ObjectId) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const folder of await io.list(objects)) {
      for (const name of await io.list(join(objects, folder))) {
        if (signal.aborted) return;
        await removeUnknown(Buffer.from(name, "hex").toString("latin1") as ObjectId);
      }
      await delay(PAUSE_MS, undefined, { signal, ref: false });
    }
  } catch {
    // the next start sweeps again
  }
}
