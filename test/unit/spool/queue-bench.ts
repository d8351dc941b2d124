// A queue with everything around it, for tests.
import { dir } from "tmp-promise";
import type { BlockCache, ObjectVersion } from "../../../src/cache/block-cache.ts";
import { fileUploadSource } from "../../../src/s3/file-upload-source.ts";
import { DiskSpool } from "../../../src/spool/disk-spool.ts";
import type { QueueEvents, QueuePlan } from "../../../src/spool/spool.ts";
import { BackgroundUploadQueue } from "../../../src/spool/upload-queue.ts";
import type { UploadQueueOptions } from "../../../src/spool/upload-queue-options.ts";
import { MemoryState } from "./memory-state.ts";
import { isRefused, MemoryStore } from "./memory-store.ts";

/** Events that change no names; replace what a test needs. */
export function quietEvents(): { -readonly [Name in keyof QueueEvents]: QueueEvents[Name] } {
  return {
    uploaded: () => [],
    copied: () => [],
    described: () => [],
    settledAttributes: () => [],
    copyFailed: () => [],
    relocated: () => [],
    discarded: () => ({}),
    deleted: () => undefined,
    beforeReplace: () => Promise.resolve(),
  };
}

export class QueueBench {
  readonly store = new MemoryStore();
  readonly events = quietEvents();
  readonly adopted: ObjectVersion[] = [];
  takesIntoCache = false;
  state = new MemoryState();
  readonly directory: string;
  spool: DiskSpool;
  queue: BackgroundUploadQueue;
  readonly #options: Partial<UploadQueueOptions>;
  readonly #cleanup: () => Promise<void>;

  private constructor(init: {
    directory: string;
    spool: DiskSpool;
    cleanup: () => Promise<void>;
    options: Partial<UploadQueueOptions>;
  }) {
    this.directory = init.directory;
    this.spool = init.spool;
    this.#cleanup = init.cleanup;
    this.#options = init.options;
    this.queue = this.makeQueue();
  }

  static async open(options: Partial<UploadQueueOptions> = {}): Promise<QueueBench> {
    const folder = await dir({ unsafeCleanup: true });
    const spool = await openSpool(folder.path);
    return new QueueBench({
      directory: folder.path,
      spool,
      cleanup: () => folder.cleanup(),
      options,
    });
  }

  makeQueue(options: Partial<UploadQueueOptions> = {}): BackgroundUploadQueue {
    const cache: Pick<BlockCache, "adopt"> = {
      adopt: async (version, path) => {
        if (!this.takesIntoCache) return false;
        const { unlink } = await import("node:fs/promises");
        await unlink(path);
        this.adopted.push(version);
        return true;
      },
    };
    return new BackgroundUploadQueue({
      store: this.store,
      state: this.state,
      files: this.spool,
      source: (fd, _path, size) => fileUploadSource(fd, size),
      cache,
      retry: { minMs: 5, maxMs: 20, isRefused },
      patienceMs: 2000,
      ...this.#options,
      ...options,
    });
  }

  /** What a crash leaves: the same directory and journal, nothing else. */
  async crash(): Promise<void> {
    await this.queue.stop();
    await this.spool.close();
    this.spool = await openSpool(this.directory);
    this.state = new MemoryState(this.state.journal);
    this.queue = this.makeQueue();
  }

  /** A closed staged file. */
  async staged(text: string): Promise<string> {
    const file = await this.spool.create();
    await file.write(0, Buffer.from(text));
    await file.sync();
    file.release();
    return file.id;
  }

  /** Plans, journals and commits. */
  async change(make: (plan: QueuePlan) => void): Promise<void> {
    const plan = this.queue.plan();
    make(plan);
    try {
      await this.state.mutate({ enqueue: plan.enqueue, dequeue: plan.dequeue });
    } catch (error) {
      plan.rollback();
      throw error;
    }
    plan.commit();
  }

  async put(key: string, text: string, inBucket = false): Promise<string> {
    const staged = await this.staged(text);
    await this.change((plan) => plan.put({ key, staged, size: Buffer.byteLength(text), inBucket }));
    return staged;
  }

  async close(): Promise<void> {
    await this.queue.stop();
    await this.spool.close();
    await this.#cleanup();
  }
}

export function openSpool(stateDir: string): Promise<DiskSpool> {
  return DiskSpool.open({ stateDir, spoolSize: 2 ** 30, minFree: { bytes: 0 }, spares: 4 });
}

export async function isGone(spool: DiskSpool, id: string): Promise<boolean> {
  return (await spool.sizeOf(id)) === undefined;
}

/** A gate that requests of one kind wait at. */
export function gate(
  store: MemoryStore,
  matches: (verb: string, key: string) => boolean,
): {
  open: () => void;
  reached: Promise<void>;
} {
  let open = (): void => undefined;
  let reach = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  store.before = async (verb, key) => {
    if (!matches(verb, key)) return;
    reach();
    await opened;
  };
  return { open: () => open(), reached };
}
