// The loopback S3 at a fixed port, so that it can go away and come back.
import { createHash } from "node:crypto";
import { freePort } from "../free-port.ts";
import {
  type LoopbackProcess,
  spawnLoopback,
  stopLoopback,
  untilListening,
} from "../loopback-process.ts";
import { testLogin } from "../loopback-s3/loopback-s3.ts";

/** What credentials_file holds. */
export const keysFile = `${testLogin.accessKeyId}:${testLogin.secretAccessKey}\n`;

/** One bucket called "bucket", kept in a folder. */
export class BucketServer {
  readonly endpoint: string;
  readonly #port: number;
  readonly #folder: string;
  #server: LoopbackProcess | undefined;

  private constructor(port: number, folder: string) {
    this.#port = port;
    this.#folder = folder;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(folder: string): Promise<BucketServer> {
    const server = new BucketServer(await freePort(), folder);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.#server = spawnLoopback(this.#port, this.#folder);
    await untilListening(this.#server);
  }

  /** From now on connections are refused; objects stay. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await stopLoopback(server);
  }

  /** MD5 of each object uploaded in one piece, by key. */
  async objects(): Promise<Record<string, string>> {
    const answer = await fetch(`${this.endpoint}/_admin/keys`);
    const keys = (await answer.json()) as { key: string; etag: string }[];
    return Object.fromEntries(keys.map(({ key, etag }) => [key, etag]));
  }
}

export function md5(data: Uint8Array | string): string {
  return createHash("md5").update(data).digest("hex");
}
