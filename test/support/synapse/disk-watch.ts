// How long the local disk takes to keep a small file, which is what close(2) waits for on a mount and not on a plain directory.
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** Between two files, ms. */
const EVERY_MS = 100;

/** Runs `action`; resolves to the longest time that a write with fsync took meanwhile, in ms. */
export async function longestSync(folder: string, action: () => Promise<unknown>): Promise<number> {
  const done = new AbortController();
  let longestMs = 0;
  const watch = async (): Promise<void> => {
    const file = await open(join(folder, "disk-watch"), "w");
    while (!done.signal.aborted) {
      const startedAt = performance.now();
      await file.write(Buffer.alloc(4096, "x"), 0, 4096, 0);
      await file.sync();
      longestMs = Math.max(longestMs, performance.now() - startedAt);
      await pause(EVERY_MS);
    }
    await file.close();
  };
  const watching = watch();
  await action().finally(() => done.abort());
  await watching;
  return Math.round(longestMs);
}
