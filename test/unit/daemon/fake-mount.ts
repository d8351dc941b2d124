// A mount that is not: what a MountFactory makes, for tests of everything around it.
import { setTimeout as delay } from "node:timers/promises";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { type Socket, createServer } from "node:net";
import { join } from "node:path";
import { commandLineOption } from "../../../src/options/given-option.ts";
import type { MountOptions } from "../../../src/options/mount-options.ts";
import { parseMountOptions } from "../../../src/options/parse-mount-options.ts";
import { FsError } from "../../../src/posix/errno.ts";
import type { DaemonParts, MountedFileSystem } from "../../../src/daemon/mount-contract.ts";
import type { ExportedBytes, QueueControl } from "../../../src/daemon/queue-report.ts";
import type { QueueItem } from "../../../src/spool/queue-item.ts";
import type { MountStatus } from "../../../src/daemon/status.ts";

/** Options of a mount whose cache and state lie below `directory`. */
export function optionsBelow(directory: string): MountOptions {
  return parseMountOptions(
    {
      source: "media:a/",
      mountpoint: join(directory, "mnt"),
      given: [
        commandLineOption("cache-dir", join(directory, "cache")),
        commandLineOption("state-dir", join(directory, "state")),
      ],
    },
    {
      variables: { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "s" },
      uid: 0,
      gid: 0,
      directory,
    },
  ).options;
}

/** Pending work that a test puts in; `bytes` are where export finds them. */
export class FakeQueue implements QueueControl {
  items: QueueItem[] = [];
  bytes = "";

  async *list(after: string, all: boolean): AsyncGenerator<QueueItem> {
    const start = this.items.findIndex(({ id }) => id === after) + 1;
    for (const item of this.items.slice(start)) if (all || item.state !== "waiting") yield item;
  }

  retry(ids: readonly string[]): number {
    for (const id of ids) this.#find(id);
    return ids.length || this.items.length;
  }

  async export(id: string): Promise<ExportedBytes> {
    const { key = "", bytes = 0 } = this.#find(id);
    return { path: this.bytes, size: bytes, key };
  }

  async discard(id: string): Promise<void> {
    const item = this.#find(id);
    this.items = this.items.filter((other) => other !== item);
  }

  #find(id: string): QueueItem {
    const item = this.items.find((item) => item.id === id);
    if (item === undefined) throw new FsError("ENOENT", `Nothing has the number ${id}`);
    return item;
  }
}

/** Records what is asked of it; `users` keep it busy, `pending` is what its queue holds. */
export class FakeMount implements MountedFileSystem {
  readonly calls: string[] = [];
  readonly queue = new FakeQueue();
  readonly removals = {
    list: () => [],
    undelete: async () => ({ restored: 0, refused: [], refusedCount: 0 }),
    expire: async () => 0,
  };
  users = 0;
  pending = 0;
  /** How long umount(8) goes on when the connection has ended. */
  umountMs = 0;
  lastError: string | undefined;
  /** Since when S3 gives no answer. */
  failingSinceMs: number | undefined;
  #closed = deferred();
  #drained = deferred();
  #detached = false;

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  status(): MountStatus {
    return {
      queue: {
        length: this.pending,
        bytes: this.pending * 1000,
        refused: 0,
        delayed: { count: 0, bytes: 0 },
        ...(this.lastError !== undefined && { lastError: { message: this.lastError, sinceMs: 1 } }),
      },
      cache: { bytes: 0, objects: 0, limitBytes: 1, hits: 0, misses: 0 },
      ...(this.failingSinceMs !== undefined && { failingSinceMs: this.failingSinceMs }),
      requests: { PUT: 3 },
      spool: { bytes: 5000, limitBytes: 10_000 },
      s3: { answers: { PUT: { 200: 2, 503: 1 } }, sentBytes: 5, receivedBytes: 6 },
      fuse: {
        answers: { lookup: { ok: 7, ENOENT: 2 } },
        readBytes: 8,
        writtenBytes: 9,
        inFlight: 1,
        openFiles: 2,
        names: 3,
      },
      adapter: "fake",
      passthrough: false,
    };
  }

  async flush(path: string, signal: AbortSignal): Promise<void> {
    this.calls.push(`flush ${path}`);
    if (path === "/missing") throw new FsError("ENOENT", 'Cannot flush "/missing": no such file');
    await this.#untilDrained(signal);
  }

  async refresh(path: string): Promise<void> {
    this.calls.push(`refresh ${path}`);
  }

  async unmount({ lazy }: { lazy: boolean }): Promise<void> {
    this.calls.push(lazy ? "unmount lazily" : "unmount");
    if (this.users > 0 && !lazy) throw new FsError("EBUSY", "Cannot unmount: it is in use");
    this.#detached = true;
    if (this.users === 0) this.#closed.resolve();
    if (this.umountMs > 0) await delay(this.umountMs);
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.calls.push("drain");
    await this.#untilDrained(signal);
  }

  async close(): Promise<void> {
    this.calls.push("close");
  }

  /** The last user goes away. */
  leave(): void {
    this.users = 0;
    if (this.#detached) this.#closed.resolve();
  }

  /** The bucket takes everything. */
  upload(): void {
    this.pending = 0;
    this.#drained.resolve();
  }

  async #untilDrained(signal: AbortSignal): Promise<void> {
    if (this.pending === 0) return;
    const aborted = once(signal, "abort").then(() => {
      throw new FsError("EINTR", "Stopped draining");
    });
    await Promise.race([this.#drained.promise, aborted]);
  }
}

/** Parts that make `mount`, with a plain socket as lock. */
export function fakeParts(mount: FakeMount): DaemonParts & { released: () => boolean } {
  let released = false;
  return {
    released: () => released,
    mount: async () => mount,
    acquireLock: async (directory) => {
      await mkdir(directory, { recursive: true });
      const server = createServer();
      const connections = new Set<Socket>();
      server.on("connection", (socket) => connections.add(socket));
      const path = join(directory, "control.sock");
      server.listen(path);
      await once(server, "listening");
      return {
        server,
        path,
        release: async () => {
          released = true;
          for (const socket of connections) socket.destroy();
          server.close();
        },
      };
    },
  };
}

// Promise.withResolvers() came with Node 22
function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((resolvePromise) => {
    resolve = resolvePromise;
  });
  return { promise, resolve };
}
