// A random run of clients on a recorded disk, with the bucket beside it.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { deserialize } from "node:v8";
import { openCore } from "../../../src/daemon/mount.ts";
import { fileSystemDriver } from "../../posix/file-system-driver.ts";
import { optionsFor } from "../core.ts";
import type { LoopbackS3 } from "../loopback-s3/loopback-s3.ts";
import { mountInChild } from "../mount/mount-in-child.ts";
import { Random } from "../random.ts";
import { type BucketChange, BucketHistory } from "./bucket-history.ts";
import type { DiskOperation } from "./disk-log.ts";
import { Client, type Promised } from "./workload.ts";

const CLIENTS = 4;
/** Operations of each client. */
export const STEPS = 40;

/** What a client was promised, in order. */
export interface ClientHistory {
  readonly directory: string;
  readonly history: readonly Promised[];
}

/** All that a cut needs; plain values, so that a failing one can be kept. */
export interface Recording {
  /** Mount options beside the defaults. */
  readonly options: Readonly<Record<string, string>>;
  /** Of the server, and part of whose state it is. */
  readonly endpoint: string;
  readonly log: readonly DiskOperation[];
  readonly bucket: readonly BucketChange[];
  readonly clients: readonly ClientHistory[];
}

/** One random run with these mount options; `folder` is for what comes by on the way. */
export async function record(
  options: Readonly<Record<string, string>>,
  random: Random,
  folder: string,
  s3: LoopbackS3,
): Promise<Recording> {
  const disk = await mountInChild({ recording: true });
  s3.bucket.objects.clear();
  const bucket = new BucketHistory(s3);
  try {
    s3.settings.latencyMs = 2;
    const core = await openCore(optionsFor(s3, disk.mountpoint, options), { bootId: "first" });
    const driver = fileSystemDriver(core.fileSystem);
    const undelete = async (path: string): Promise<boolean> =>
      (await core.fileSystem.removals.undelete([path], 0)).restored > 0;
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new Client(driver, `/client${i}`, new Random(random.integer(2 ** 31)), undelete),
    );
    await Promise.all(clients.map(async (client) => run(client, s3, random)));
    await core.drained();
    await core.close();
    const path = join(folder, "log");
    await disk.command({ do: "dump", path });
    const log = deserialize(await readFile(path)) as DiskOperation[];
    const histories = clients.map(({ directory, history }) => ({ directory, history }));
    return { options, endpoint: s3.endpoint, log, bucket: bucket.changes, clients: histories };
  } finally {
    bucket.end();
    s3.faults.clear();
    s3.settings.latencyMs = 0;
    await disk.stop();
  }
}

async function run(client: Client, s3: LoopbackS3, random: Random): Promise<void> {
  await client.start();
  for (let i = 0; i < STEPS; i += 1) {
    const effect = { kind: "status", status: 503 } as const;
    if (random.chance(5)) s3.faults.add({ effect, times: 1 });
    if (random.chance(5)) s3.faults.add({ effect: { kind: "lostAnswer" }, times: 1 });
    // uploads get their turn now and then
    if (random.chance(10)) await new Promise((resolve) => setTimeout(resolve, 150));
    await client.step();
  }
  await client.end();
}
