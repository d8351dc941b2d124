// The states a mount can be in when an operation is counted.
import type { PosixDriver } from "../posix/posix-driver.ts";
import type { TestCore } from "../support/core.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import type { Action } from "./actions.ts";

export interface Mode {
  readonly name: string;
  /** What the column stands for, one line of requests.md. */
  readonly meaning: string;
  readonly options: Record<string, string>;
  prepare(
    core: TestCore,
    driver: () => PosixDriver,
    what: { readonly topLevel: readonly string[]; readonly action: Action },
  ): Promise<void>;
}

async function walk(driver: PosixDriver, directory: string): Promise<void> {
  for (const [name, mode] of await driver.readdir(directory)) {
    if ((mode & 0o170000) !== 0o040000) continue;
    await walk(driver, directory === "/" ? `/${name}` : `${directory}/${name}`);
  }
}

async function untilListed(core: TestCore): Promise<void> {
  await waitUntil("the bucket is listed", () => {
    const coverage = core.core.fileSystem.coverage();
    return coverage?.complete === true && coverage.crawl === undefined;
  });
}

export const modes: readonly Mode[] = [
  {
    name: "shared, cold",
    meaning: "sharing=shared, just mounted; only the top-level directories are known",
    options: {},
    async prepare(_core, driver, { topLevel }) {
      for (const path of topLevel) await driver().lstat(path);
    },
  },
  {
    name: "shared, warm",
    meaning: "sharing=shared, every directory was listed within --stat-cache-ttl",
    options: {},
    prepare: async (_core, driver) => walk(driver(), "/"),
  },
  {
    name: "exclusive",
    meaning: "sharing=exclusive, everything was listed once",
    options: { sharing: "exclusive" },
    prepare: untilListed,
  },
  {
    name: "exclusive, restarted",
    meaning: "the same, mounted again: nothing is asked anew",
    options: { sharing: "exclusive" },
    async prepare(core) {
      await untilListed(core);
      await core.reopen({ emptyCache: true });
    },
  },
];
