import { dir } from "tmp-promise";
import { onTestFinished } from "vitest";

/** A directory that is gone, with all in it, when the test is over. */
export async function temporaryDirectory(): Promise<string> {
  const { path, cleanup } = await dir({ unsafeCleanup: true, prefix: "pailfs-test-" });
  onTestFinished(async () => cleanup());
  return path;
}
