// What the tests of test/synapse run on: a bucket, a mount of it, a Synapse with its media there, and another Synapse
// with its media on a plain directory, which federates with the first.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type DirectoryResult, dir } from "tmp-promise";
import { GatedBucket, type ServerName } from "./gated-bucket.ts";
import { Homeserver } from "./homeserver.ts";
import { MountedDaemon } from "./mounted-daemon.ts";

export interface SiteOptions {
  readonly server: ServerName;
  /** Of the mount; `--sharing exclusive` if left out. */
  readonly mountOptions?: readonly string[];
  /** More of the first homeserver's homeserver.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** See HomeserverOptions, for the first. */
  readonly prelude?: string;
  /** Whether there is a second homeserver; yes if left out. */
  readonly remote?: boolean;
  /** Runs before the first Synapse starts. */
  readonly beforeSynapse?: (site: Site) => Promise<void>;
}

/** All that runs; stop() it whatever happened. */
export class Site {
  /** Scratch space of the test, not on the mount. */
  readonly folder: string;
  readonly bucket: GatedBucket;
  readonly daemon: MountedDaemon;
  /** The one with its media in the bucket. */
  readonly home: Homeserver;
  readonly #remote: Homeserver | undefined;
  readonly #cleanup: () => Promise<void>;

  private constructor(
    folder: DirectoryResult,
    bucket: GatedBucket,
    daemon: MountedDaemon,
    servers: { readonly home: Homeserver; readonly remote: Homeserver | undefined },
  ) {
    this.folder = folder.path;
    this.#cleanup = folder.cleanup;
    this.bucket = bucket;
    this.daemon = daemon;
    this.home = servers.home;
    this.#remote = servers.remote;
  }

  static async start(options: SiteOptions): Promise<Site> {
    const folder = await dir({ unsafeCleanup: true, prefix: "pailfs-synapse-" });
    await chmod(folder.path, 0o755);
    const bucket = await GatedBucket.start(options.server, join(folder.path, "bucket"));
    try {
      return await Site.#startOn(folder, bucket, options);
    } catch (error) {
      await bucket.stop();
      throw error;
    }
  }

  static async #startOn(
    folder: DirectoryResult,
    bucket: GatedBucket,
    options: SiteOptions,
  ): Promise<Site> {
    const mountOptions = options.mountOptions ?? ["--sharing", "exclusive"];
    const daemon = new MountedDaemon(folder.path, bucket, mountOptions);
    // the second one's
    const plain = join(folder.path, "remote-media");
    await mkdir(plain);
    const home = await Homeserver.make(join(folder.path, "home"), {
      media: daemon.mountpoint,
      config: options.config ?? {},
      prelude: options.prelude ?? "",
    });
    const remote =
      options.remote === false
        ? undefined
        : await Homeserver.make(join(folder.path, "remote"), { media: plain });
    const site = new Site(folder, bucket, daemon, { home, remote });
    try {
      await daemon.mount();
      await options.beforeSynapse?.(site);
      await Promise.all([home.start(), remote?.start()]);
      return site;
    } catch (error) {
      await site.stop();
      throw error;
    }
  }

  /** The homeserver with its media on a plain directory. */
  get remote(): Homeserver {
    if (this.#remote === undefined) throw new Error("this site has no second homeserver");
    return this.#remote;
  }

  async stop(): Promise<void> {
    await this.home.stop();
    await this.#remote?.stop();
    await this.daemon.stop();
    await this.bucket.stop();
    await this.#cleanup();
  }
}
