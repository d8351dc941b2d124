import { readFile } from "node:fs/promises";

/** How many files this process may have open (RLIMIT_NOFILE, which Node raises as far as it may at its start). */
export async function descriptorLimit(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}
