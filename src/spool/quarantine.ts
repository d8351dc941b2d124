// Where data goes that must not be published and must not be deleted.
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
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
  const directory = await open(dirname(to), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return to;
}
