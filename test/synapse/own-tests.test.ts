// Synapse's own media tests with all their files on a mount: as many pass as on a plain directory.
import { execFile } from "node:child_process";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { expect, onTestFinished, test } from "vitest";
import { Postgres, hasPostgres } from "../support/synapse/postgres.ts";

const run = promisify(execFile);
const mounted = new URL("../../scripts/suites/mounted", import.meta.url).pathname;
// half a minute on an idle machine
const LIMIT_MS = 900_000;

async function postgresVariables(): Promise<Record<string, string>> {
  const folder = await dir({ unsafeCleanup: true, prefix: "pailfs-synapse-" });
  await chmod(folder.path, 0o755);
  const postgres = await Postgres.start(join(folder.path, "postgres"));
  onTestFinished(async () => {
    await postgres.stop();
    await folder.cleanup();
  });
  return { SYNAPSE_POSTGRES_HOST: postgres.folder, SYNAPSE_POSTGRES_USER: postgres.user };
}

test(
  "Synapse's own media tests pass with their files on a mount",
  async () => {
    const variables = hasPostgres() ? await postgresVariables() : {};
    const env = { ...process.env, ...variables };
    const words = ["--option=--sharing=exclusive", "synapse-tests"];
    const { stdout } = await run(mounted, words, { env, timeout: LIMIT_MS - 20_000 }).catch(
      (error: { readonly stdout: string; readonly stderr: string }) => {
        throw new Error(`${error.stdout}${error.stderr}`);
      },
    );
    expect(stdout).toContain(`synapse-tests: ${hasPostgres() ? 5 : 4} passed, 0 failed`);
  },
  LIMIT_MS,
);
