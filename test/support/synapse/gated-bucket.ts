// A bucket on a real server or the loopback S3, behind a gate. Looks at it do not go through the gate, so that its log
// holds the daemon's requests alone.
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { S3Config } from "../../../src/s3/s3-call.ts";
import { S3ObjectStore } from "../../../src/s3/s3-object-store.ts";
import { BucketServer } from "../boot/bucket-server.ts";
import { freePort } from "../free-port.ts";
import { listAllPages } from "../list-all-pages.ts";
import { testLogin } from "../loopback-s3/loopback-s3.ts";
import type { GateEntry } from "../s3-gate/gate.ts";
import { GateProcess } from "../s3-gate/gate-process.ts";
import { versitygw } from "../s3-servers.ts";
import { asKey, bytesOf } from "../s3-store.ts";

/** The servers that the suite runs on. */
export const serverNames = ["loopback", "versitygw"] as const;
export type ServerName = (typeof serverNames)[number];

/** Where suites run that try one server at a time: PAILFS_TEST_SERVER, or the loopback S3. */
export function chosenServer(): ServerName {
  const chosen = process.env["PAILFS_TEST_SERVER"] ?? "loopback";
  const server = serverNames.find((name) => name === chosen);
  if (server === undefined)
    throw new Error(`PAILFS_TEST_SERVER=${chosen} is none of ${serverNames.join(", ")}`);
  return server;
}

interface Server {
  readonly config: S3Config;
  stop(): Promise<void>;
}

async function startServer(name: ServerName, folder: string): Promise<Server> {
  if (name === "versitygw") {
    const server = await versitygw.start();
    if (server === undefined) throw new Error("versitygw is not there: scripts/test builds it");
    return server;
  }
  await mkdir(folder, { recursive: true });
  const server = await BucketServer.start(folder);
  const config = {
    bucket: "bucket",
    endpoint: server.endpoint,
    credentials: async () => testLogin,
  };
  return { config, stop: async () => server.stop() };
}

export class GatedBucket {
  readonly name: string;
  /** URL of the gate: what a daemon mounts. */
  readonly endpoint: string;
  /** Faults, latency and refusals. */
  readonly gate: GateProcess;
  readonly #server: Server;
  readonly #store: S3ObjectStore;
  #stopped: Promise<void> | undefined;

  private constructor(server: Server, gate: GateProcess) {
    this.name = server.config.bucket;
    this.endpoint = gate.endpoint;
    this.gate = gate;
    this.#server = server;
    this.#store = new S3ObjectStore({ ...server.config, deadlineMs: 30_000 });
  }

  /** An empty bucket; the loopback S3 keeps its objects in `folder`. */
  static async start(name: ServerName, folder: string): Promise<GatedBucket> {
    const server = await startServer(name, folder);
    try {
      const gate = await GateProcess.start(server.config.endpoint ?? "", await freePort());
      return new GatedBucket(server, gate);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Sizes of all objects below `prefix`, by key. */
  async sizes(prefix = ""): Promise<Record<string, number>> {
    const sizes: Record<string, number> = {};
    for await (const page of listAllPages(this.#store, { prefix })) {
      for (const { key, size } of page.objects) sizes[key] = size;
    }
    return sizes;
  }

  async keys(prefix = ""): Promise<string[]> {
    return Object.keys(await this.sizes(prefix)).sort();
  }

  async content(key: string): Promise<Buffer> {
    return bytesOf(await this.#store.getObject(asKey(key)));
  }

  /** Of an object's bytes; hex. */
  async sha256(key: string): Promise<string> {
    return sha256(await this.content(key));
  }

  /** Removes an object behind the daemon's back. */
  async remove(key: string): Promise<void> {
    await this.#store.deleteObject(asKey(key));
  }

  /** Runs `action`; resolves to the requests that came meanwhile. */
  async requestsOf(action: () => Promise<unknown>): Promise<GateEntry[]> {
    const { length } = await this.gate.log();
    await action();
    return this.gate.log(length);
  }

  /** Runs `action`; resolves to the number of requests that came meanwhile, by verb. */
  async countsOf(action: () => Promise<unknown>): Promise<Partial<Record<string, number>>> {
    const counts: Record<string, number> = {};
    for (const { verb } of await this.requestsOf(action)) counts[verb] = (counts[verb] ?? 0) + 1;
    return counts;
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.gate.stop();
    await this.#store.close();
    await this.#server.stop();
  }
}

/** Hex. */
export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
