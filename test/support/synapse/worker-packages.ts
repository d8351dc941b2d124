import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { synapsePython } from "./real-synapse.ts";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;

/** A folder of Python packages that Synapse wants for PostgreSQL and Redis, installed when it is missing. */
export async function workerPackages(): Promise<string> {
  const code =
    "import pathlib, sys; sys.path.insert(0, 'scripts'); " +
    "from synapse.test_sources import ensure_test_sources; " +
    "print(ensure_test_sources(pathlib.Path(sys.argv[1]), lambda text: None))";
  const words = ["-B", "-c", code, await synapsePython()];
  const { stdout } = await run("python3", words, { cwd: top, timeout: 300_000 });
  return stdout.trim();
}
