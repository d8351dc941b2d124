import { statfs } from "node:fs/promises";
import { findMount } from "./mount-table.ts";
import { StartError } from "./start-error.ts";

const answerWithinMs = 10_000;

/** Rejects with StartError unless a FUSE mount is at `mountpoint` and answers this process within some seconds. */
export async function checkAnswer(mountpoint: string): Promise<void> {
  const entry = await findMount(mountpoint);
  if (entry === undefined || !entry.type.startsWith("fuse")) {
    throw new StartError(
      "runtime",
      `Cannot mount on "${mountpoint}": the daemon says it is mounted, but it is not to be seen here (another mount namespace?)`,
    );
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new StartError("runtime", `Cannot use "${mountpoint}": mounted, but it does not answer`),
        ),
      answerWithinMs,
    );
  });
  try {
    await Promise.race([statfs(mountpoint), late]);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError("runtime", `Cannot use "${mountpoint}": ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
