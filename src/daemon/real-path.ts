import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** An absolute path with the symbolic links of all its existing directories resolved; the last component may be a dead mount. */
export async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}
