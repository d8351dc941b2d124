// A file system core in this process, over a loopback S3, with the options the command line would give.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { type Core, openCore } from "../../src/daemon/mount.ts";
import { commandLineOption } from "../../src/options/given-option.ts";
import type { MountOptions } from "../../src/options/mount-options.ts";
import { parseMountOptions } from "../../src/options/parse-mount-options.ts";
import { LoopbackS3, testLogin } from "./loopback-s3/loopback-s3.ts";

/** A core with its server; `reopen` closes it and starts again on the same state. */
export interface TestCore {
  readonly s3: LoopbackS3;
  readonly options: MountOptions;
  core: Core;
  /** `options` in place of those it was started with. */
  reopen(how?: {
    emptyCache?: boolean;
    freshState?: boolean;
    lostIndex?: boolean;
    options?: Record<string, string>;
  }): Promise<void>;
  close(): Promise<void>;
}

/**
 * Options are those of the command line, without dashes; `fill` is called before the core starts; a server that was given
 * stays its owner's.
 */
export async function startCore(
  options: Record<string, string> = {},
  fill: (s3: LoopbackS3) => void = () => undefined,
  shared?: LoopbackS3,
): Promise<TestCore> {
  const s3 = shared ?? (await LoopbackS3.start());
  fill(s3);
  const folder = await dir({ unsafeCleanup: true });
  const parsed = optionsFor(s3, folder.path, options);
  const test: TestCore = {
    s3,
    options: parsed,
    core: await openCore(parsed),
    reopen: async (how = {}) => {
      const { emptyCache = false, freshState = false, lostIndex = false, options: other } = how;
      await test.core.close();
      for (const name of lostIndex ? ["index.mdb", "index.mdb-lock"] : []) {
        await rm(join(parsed.spool.stateDirectory, name), { force: true });
      }
      if (emptyCache) await rm(parsed.cache.directory, { recursive: true, force: true });
      if (freshState) await rm(parsed.spool.stateDirectory, { recursive: true, force: true });
      const again = other === undefined ? parsed : optionsFor(s3, folder.path, other);
      test.core = await openCore(again);
    },
    close: async () => {
      await test.core.close();
      if (!shared) await s3.close();
      await folder.cleanup();
    },
  };
  return test;
}

/** Options as the command line would give them, with state and cache below `folder`. */
export function optionsFor(
  s3: LoopbackS3,
  folder: string,
  options: Record<string, string>,
): MountOptions {
  // bucket:prefix, which is no option on the command line either
  const { source = s3.bucket.name, ...written } = options;
  const all = {
    endpoint: s3.endpoint,
    "cache-dir": join(folder, "cache"),
    "state-dir": join(folder, "state"),
    "min-free": "0",
    ...written,
  };
  const given = Object.entries(all).map(([name, value]) => commandLineOption(name, value));
  const { options: parsed } = parseMountOptions(
    { source, mountpoint: join(folder, "mnt"), given },
    {
      variables: {
        AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
        AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
      },
      directory: folder,
      uid: 0,
      gid: 0,
    },
  );
  return parsed;
}
