// Compiles a part of src/ for child processes, since Node 20 cannot run TypeScript.
import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Writes JavaScript for `files` (relative to src/) and what they import into `directory`. */
export async function compileInto(directory: string, files: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  const config = join(directory, "tsconfig.json");
  await writeFile(
    config,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        rootDir: join(root, "src"),
        outDir: directory,
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [],
      files: files.map((file) => join(root, "src", file)),
    }),
  );
  await writeFile(join(directory, "package.json"), '{"type":"module"}');
  await symlink(join(root, "node_modules"), join(directory, "node_modules"));
  await promisify(execFile)(process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-p",
    config,
  ]);
}
