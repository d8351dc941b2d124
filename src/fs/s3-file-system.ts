// The file system core: POSIX meaning over state, spool, cache and S3. Each call is one line here; its meaning is in
// the file of its family.
import type { BlockCache } from "../cache/block-cache.ts";
import { baseName, checkName, parentPath } from "../posix/path.ts";
import { FileType, isDirectory, type StatFs } from "../posix/stat.ts";
import type { ObjectStore } from "../s3/object-store.ts";
import type { Spool, UploadQueue } from "../spool/spool.ts";
import { ROOT_INO, type MountState } from "../state/mount-state.ts";
import type { NamespaceEntry } from "../state/namespace-entry.ts";
import { Attributes } from "./operations/attributes.ts";
import { Completeness } from "./listing/completeness.ts";
import type { CoreOptions, KeyMap } from "./core-options.ts";
import { Describer } from "./listing/describer.ts";
import { Crawler, type CrawlStatus } from "./crawl/crawler.ts";
import { Directories } from "./operations/directories.ts";
import { entryOf, rootEntry } from "./namespace/entries.ts";
import type { CallContext, Change, Entry, FileSystem, MaybePromise } from "./file-system.ts";
import { Files } from "./operations/files.ts";
import { EntryKeeper } from "./namespace/keep-entry.ts";
import { Learner } from "./listing/learn.ts";
import { LingeringFiles } from "./writing/linger.ts";
import { Listings } from "./listing/listings.ts";
import { Lookup } from "./listing/lookup.ts";
import { StoreOrder } from "./listing/page-order.ts";
import { Namespace } from "./namespace/namespace.ts";
import { Names } from "./operations/names.ts";
import { ObjectReaders } from "./reading/object-readers.ts";
import { OpenReads } from "./reading/open-reads.ts";
import { Publisher } from "./writing/publisher.ts";
import { QueueFollower } from "./writing/queue-follower.ts";
import { recoverNames } from "./namespace/recover-names.ts";
import { Rename } from "./operations/rename.ts";
import { Sessions } from "./writing/sessions.ts";
import { Undelete } from "./operations/undelete.ts";

export interface CoreParts {
  readonly state: MountState;
  readonly store: ObjectStore;
  readonly cache: BlockCache;
  readonly spool: Spool;
  readonly queue: UploadQueue;
  readonly keys: KeyMap;
  readonly options: CoreOptions;
}

/** What statfs(2) shows of a store without limits: 1 PiB and 10^9 files. */
const UNLIMITED: StatFs = {
  bsize: 4096,
  blocks: 2 ** 38,
  bfree: 2 ** 38,
  bavail: 2 ** 38,
  files: 1e9,
  ffree: 1e9,
  namelen: 255,
};

/** How much of the bucket's names is known; times in ms since the epoch. */
export interface CoverageStatus {
  /** Everything below the prefix was listed, last at `sinceMs`. */
  readonly complete: boolean;
  readonly sinceMs?: number;
  /** Directories that others changed since. */
  readonly unknownDirectories: number;
  readonly crawl?: CrawlStatus;
}

export class S3FileSystem implements FileSystem {
  readonly #lookup: Lookup;
  readonly #listings: Listings;
  readonly #namespace: Namespace;
  readonly #sessions = new Sessions();
  readonly #files: Files;
  readonly #names: Names;
  readonly #directories: Directories;
  readonly #rename: Rename;
  readonly #attributes: Attributes;
  readonly #parts: CoreParts;
  readonly #completeness: Completeness;
  /** Undefined with sharing=shared. */
  readonly #crawler: Crawler | undefined;
  readonly #lingering: LingeringFiles;
  /** Names that were removed and may come back. */
  readonly removals: Undelete;
  #listener: (change: Change) => void = () => undefined;

  /** Starts the queue: uploads that an earlier run left go on. */
  constructor(parts: CoreParts) {
    this.#parts = parts;
    const { state, store, cache, spool, queue, keys, options } = parts;
    const namespace = new Namespace(state);
    this.#namespace = namespace;
    this.#makeRoot();
    const changed = (path: string): void => this.#listener({ kind: "entry", path });
    const order = new StoreOrder();
    const completeness = new Completeness(state, options.sharing, order);
    this.#completeness = completeness;
    const learner = new Learner(namespace, queue, keys, options, changed, completeness);
    const describer = new Describer(namespace, store, keys, options);
    const listingsParts = { namespace, store, keys, learner, options, completeness, order };
    const listings = new Listings(listingsParts);
    const lookup = new Lookup({ ...listingsParts, describer }, listings);
    this.#lookup = lookup;
    this.#listings = listings;
    const sessions = this.#sessions;
    const reads = new OpenReads();
    const readers = new ObjectReaders(store, cache, options);
    const lingering = new LingeringFiles(queue, options.publishDelayMs);
    this.#lingering = lingering;
    const publisher = new Publisher(
      namespace,
      sessions,
      spool,
      queue,
      keys,
      options,
      lingering,
      changed,
    );
    const show = (entry: NamespaceEntry): Entry => this.#show(entry);
    const common = { namespace, lookup, sessions, reads, queue, keys, options, show };
    namespace.onDoubt = ({ path, entry }) => completeness.found({ path, ino: entry.ino });
    const keeper = new EntryKeeper(namespace, queue, spool, keys, options);
    const content = { readers, publisher, spool, store, keeper, completeness };
    this.#files = new Files({ ...common, ...content });
    this.#names = new Names({ ...common, spool, store });
    this.#directories = new Directories({ ...common, listings, spool, describer });
    const { names, directories } = { names: this.#names, directories: this.#directories };
    this.#rename = new Rename({ ...common, names, directories, listings, publisher, spool });
    this.#attributes = new Attributes({ ...common, files: this.#files, keeper });
    this.removals = new Undelete({ namespace, queue, keys, options, store, changed });
    recoverNames(namespace, keys, options, state.pending(), state.rebuilt);
    queue.start(new QueueFollower(namespace, readers, keys, options, store, changed, completeness));
    if (options.sharing === "shared") return;
    const ask = (path: string): Promise<void> => this.#ask(path);
    const intervalMs = options.refreshIntervalMs;
    this.#crawler = new Crawler({ ...listingsParts, listings, ask, intervalMs });
    this.#crawler.start();
  }

  /** Uploads that wait for what programs may do next begin now. */
  publish(): void {
    this.#lingering.releaseAll();
  }

  onChange(listener: (change: Change) => void): void {
    this.#listener = listener;
  }

  lookup(path: string, context: CallContext): MaybePromise<Entry | undefined> {
    checkName(baseName(path));
    const found = this.#lookup.resolve(path, context.signal);
    if (found instanceof Promise)
      return found.then((located) => located && this.#show(located.entry));
    return found && this.#show(found.entry);
  }

  getattr(path: string, context: CallContext): MaybePromise<Entry> {
    const found = this.#lookup.existing(path, context.signal);
    if (found instanceof Promise) return found.then((located) => this.#show(located.entry));
    return this.#show(found.entry);
  }

  setattr: FileSystem["setattr"] = (path, changes, context) =>
    this.#attributes.setattr(path, changes, context);

  readlink: FileSystem["readlink"] = (path, context) => this.#names.readlink(path, context);

  mkdir: FileSystem["mkdir"] = (path, mode, context) =>
    this.#directories.mkdir(path, mode, context);

  async mknod(path: string, mode: number, rdev: number, context: CallContext): Promise<Entry> {
    if ((mode & FileType.mask) !== FileType.file) {
      return this.#names.mknod(path, mode, rdev, context);
    }
    const handle = await this.#files.create(path, O_EXCL_WRONLY, mode, context);
    try {
      await handle.flush(context);
      return handle.entry();
    } finally {
      handle.release();
    }
  }

  symlink: FileSystem["symlink"] = (path, target, context) =>
    this.#names.symlink(path, target, context);

  unlink: FileSystem["unlink"] = (path, context) => this.#names.unlink(path, context);

  rmdir: FileSystem["rmdir"] = (path, context) => this.#directories.rmdir(path, context);

  rename: FileSystem["rename"] = (from, to, flags, context) =>
    this.#rename.rename(from, to, flags, context);

  open: FileSystem["open"] = (path, flags, context) => this.#files.open(path, flags, context);

  create: FileSystem["create"] = (path, flags, mode, context) =>
    this.#files.create(path, flags, mode, context);

  opendir: FileSystem["opendir"] = (path, context) => this.#directories.opendir(path, context);

  getxattr: FileSystem["getxattr"] = (path, name, context) =>
    this.#attributes.getxattr(path, name, context);

  setxattr: FileSystem["setxattr"] = (path, name, value, flags, context) =>
    this.#attributes.setxattr(path, name, value, flags, context);

  listxattr: FileSystem["listxattr"] = (path, context) => this.#attributes.listxattr(path, context);

  removexattr: FileSystem["removexattr"] = (path, name, context) =>
    this.#attributes.removexattr(path, name, context);

  statfs(): StatFs {
    return UNLIMITED;
  }

  /** Asks the bucket again about everything at and below `path`; the kernel forgets what changed. */
  async refresh(path: string): Promise<void> {
    this.#lookup.forgetAbsent();
    if (path === "/" && this.#crawler) return this.#crawler.refresh();
    const located = this.#namespace.known(path);
    // a new name is one of its directory
    if (!located && this.#crawler) return this.refresh(parentPath(path));
    const { entry } = located ?? (await this.#lookup.existing(path));
    if (!isDirectory(entry)) return this.#ask(path);
    return this.#listings.refreshDeep(await this.#lookup.existing(path));
  }

  /** Whether the bucket, or this mount, is known to have a name; no request is made. */
  knows(path: string): boolean {
    return this.#namespace.known(path) !== undefined;
  }

  /** How much is known without asking; undefined with sharing=shared. */
  coverage(): CoverageStatus | undefined {
    if (!this.#crawler) return undefined;
    const { isComplete: complete, sinceMs, unknownDirectories } = this.#completeness;
    const crawl = this.#crawler.status;
    return {
      complete,
      unknownDirectories,
      ...(sinceMs === undefined ? {} : { sinceMs }),
      ...(crawl === undefined ? {} : { crawl }),
    };
  }

  /** Ends work of its own; never rejects. */
  async stop(): Promise<void> {
    await this.#crawler?.stop();
  }

  /** Asks S3 for one name, unless it is only ours. */
  async #ask(path: string): Promise<void> {
    const { parent, name, entry } = await this.#lookup.existing(path);
    if (entry.local || entry.staged !== undefined || entry.key !== undefined) return;
    this.#namespace.learn([{ parent, name, entry: { ...entry, until: 0 } }]);
    await this.#lookup.resolve(path);
  }

  /** A name's attributes, those of the file that is being written under it included. */
  #show(entry: NamespaceEntry): Entry {
    const session = this.#sessions.visible(entry.ino);
    return entryOf(session ? session.entry() : entry, this.#completeness.isComplete);
  }

  #makeRoot(): void {
    const { options } = this.#parts;
    const root = this.#namespace.get(0, "");
    const owner = { uid: options.uid, gid: options.gid };
    const fresh = rootEntry(owner, FileType.directory | options.dirMode);
    if (!root) this.#namespace.learn([{ parent: 0, name: "", entry: fresh }]);
    else if (
      !root.attributed &&
      (root.mode !== fresh.mode || root.uid !== owner.uid || root.gid !== owner.gid)
    ) {
      const entry = { ...root, mode: fresh.mode, ...owner, ino: ROOT_INO };
      this.#namespace.learn([{ parent: 0, name: "", entry }]);
    }
  }
}

/** O_WRONLY | O_CREAT | O_EXCL. */
const O_EXCL_WRONLY = 0o301;
