// One Synapse of several processes on PostgreSQL and Redis, whose media workers share a mount or have one each, as on two
// hosts, and a second Synapse from which they fetch.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { chosenServer, GatedBucket } from "./gated-bucket.ts";
import { Homeserver } from "./homeserver.ts";
import { MediaWorker } from "./media-worker.ts";
import { MountedDaemon } from "./mounted-daemon.ts";
import { Postgres } from "./postgres.ts";
import { Redis } from "./redis.ts";
import { workerPackages } from "./worker-packages.ts";

const DATABASE = "synapse";
/** What a bucket needs that several hosts write to and read from at once: nothing that another wrote is believed absent. */
const severalHosts = "--sharing shared --ack s3 --stat-cache-ttl 0s --negative-ttl 0s".split(" ");

/** What runs, in the order in which it was started. */
type Running = { stop(): Promise<void> }[];

export interface WorkerSite {
  readonly bucket: GatedBucket;
  /** Of the first two workers. */
  readonly here: MountedDaemon;
  /** Of the third worker: another host, with a cache and a state of its own. */
  readonly there: MountedDaemon;
  readonly home: Homeserver;
  readonly remote: Homeserver;
  /** In order: two on the first mount, one on the second. */
  readonly workers: readonly [MediaWorker, MediaWorker, MediaWorker];
  /** Rows of its database, columns with "|" between them. */
  sql(statement: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts everything but the mounts' work; the first worker runs the jobs of the media repository. */
export async function startWorkerSite(): Promise<WorkerSite> {
  const running: Running = [];
  const stop = async (): Promise<void> => {
    for (const part of running.toReversed()) await part.stop();
  };
  try {
    return { ...(await startParts(running)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startParts(running: Running): Promise<Omit<WorkerSite, "stop">> {
  const keep = <Part extends { stop(): Promise<void> }>(part: Part): Part => {
    running.push(part);
    return part;
  };
  const { path: folder, cleanup } = await dir({ unsafeCleanup: true, prefix: "pailfs-workers-" });
  keep({ stop: cleanup });
  await chmod(folder, 0o755);
  const bucket = keep(await GatedBucket.start(chosenServer(), join(folder, "bucket")));
  const mountAt = async (name: string): Promise<MountedDaemon> => {
    const place = join(folder, name);
    await mkdir(place);
    const daemon = keep(new MountedDaemon(place, bucket, []));
    await daemon.mount(...severalHosts);
    return daemon;
  };
  const [here, there] = [await mountAt("here"), await mountAt("there")];
  const postgres = keep(await Postgres.start(join(folder, "postgres")));
  await postgres.createDatabase(DATABASE);
  const redis = keep(await Redis.start(folder));
  const variables = { PYTHONPATH: await workerPackages() };
  const home = keep(await makeMain(folder, here.mountpoint, postgres, redis, variables));
  const plain = join(folder, "remote-media");
  await mkdir(plain);
  const remote = keep(await Homeserver.make(join(folder, "remote"), { media: plain }));
  await Promise.all([home.start({ listeners: mainListeners(home) }), remote.start()]);
  const start = async (name: string, media: string): Promise<MediaWorker> =>
    keep(await MediaWorker.start(home, { name, media, variables }));
  const workers = await Promise.all([
    start("media1", here.mountpoint),
    start("media2", here.mountpoint),
    start("media3", there.mountpoint),
  ]);
  const sql = async (statement: string): Promise<string[]> => postgres.query(statement, DATABASE);
  return { bucket, here, there, home, remote, workers, sql };
}

async function makeMain(
  folder: string,
  media: string,
  postgres: Postgres,
  redis: Redis,
  variables: Readonly<Record<string, string>>,
): Promise<Homeserver> {
  const args = {
    dbname: DATABASE,
    user: postgres.user,
    host: postgres.folder,
    cp_min: 1,
    cp_max: 5,
  };
  return Homeserver.make(join(folder, "home"), {
    media,
    launch: { variables },
    config: {
      database: { name: "psycopg2", args },
      redis: { enabled: true, path: redis.path },
      enable_media_repo: false,
      media_instance_running_background_jobs: "media1",
      instance_map: { main: { path: join(folder, "home/main.sock") } },
    },
  });
}

// as in federatingConfig(), and one for the workers
function mainListeners({ base, name, folder }: Homeserver): Record<string, unknown>[] {
  const listener = (port: string, resource: string): Record<string, unknown> => ({
    port: Number(port),
    type: "http",
    tls: resource === "federation",
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: [resource] }],
  });
  return [
    listener(new URL(base).port, "client"),
    listener(name.split(":")[1] ?? "", "federation"),
    { path: join(folder, "main.sock"), type: "http", resources: [{ names: ["replication"] }] },
  ];
}
