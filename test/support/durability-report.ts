// What the tests of durability found, for docs/DURABILITY.md (scripts/durability writes it).
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** One row of the matrix. */
export interface DurabilityRow {
  readonly event: string;
  readonly promise: string;
  /** How often it was tried, and how often the promise did not hold. */
  readonly tried: number;
  readonly failed: number;
  /** What makes the run repeatable, and what else is worth telling. */
  readonly note: string;
}

/** Leaves a row in the directory named by PAILFS_DURABILITY, if it is set. */
export async function recordDurability(row: DurabilityRow): Promise<void> {
  const directory = process.env["PAILFS_DURABILITY"];
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  const name = `${row.event.replaceAll(/\W+/g, "-")}.json`;
  await writeFile(join(directory, name), `${JSON.stringify(row)}\n`);
}
