// An S3 server for tests on 127.0.0.1: strict, countable, with faults and the quirks of real servers on demand.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerAdmin } from "./admin.ts";
import { S3Refusal } from "./answer.ts";
import { Bucket } from "./bucket.ts";
import { dispatch } from "./dispatch.ts";
import { type Exchange, replyRefusal } from "./exchange.ts";
import { FaultPlan } from "./faults.ts";
import { type StoredObject, md5Hex } from "./objects.ts";
import type { Quirks } from "./quirks.ts";
import { synapseBucket } from "./synapse-bucket.ts";
import { type Login, checkSignature } from "./signature-check.ts";
import { type LoopbackVerb, type S3Request, header, parseRequest } from "./verbs.ts";

export interface LoopbackS3Options {
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** Names of buckets that exist; default `["bucket"]`. */
  readonly buckets?: readonly string[];
  /** Keep objects below this directory instead of in memory. */
  readonly directory?: string;
  /** Verify signatures, digests and dates; default true. */
  readonly strict?: boolean;
  readonly login?: Login;
  readonly quirks?: Quirks;
}

/** Settings that may change while the server runs. */
export interface LoopbackSettings {
  /** Milliseconds before each answer. */
  latencyMs: number;
  /** Bytes per second for each body; 0: no limit. */
  bandwidth: number;
  /** Added to the server's clock. */
  clockOffsetMs: number;
  quirks: Quirks;
  /** Secrets the server knows; change it to make credentials expire. */
  login: Login;
}

/** One answered or torn request. */
export interface LogEntry {
  readonly verb: LoopbackVerb;
  readonly key: string;
  readonly query: string;
  readonly range: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly at: number;
  status: number;
}

/** The key every server of the test set accepts. */
export const testLogin: Login = {
  accessKeyId: "GK0123456789abcdef01234567",
  secretAccessKey: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
  region: "us-east-1",
};

const maxLogEntries = 10_000;

/** The server; make it with `LoopbackS3.start`. */
export class LoopbackS3 {
  readonly faults = new FaultPlan();
  readonly settings: LoopbackSettings;
  readonly buckets = new Map<string, Bucket>();
  /** Requests since start or `reset()`, by verb. */
  counts: Partial<Record<LoopbackVerb, number>> = {};
  /** The latest requests. */
  log: LogEntry[] = [];
  /** Connections accepted since start. */
  connections = 0;
  readonly #server: Server;
  readonly #strict: boolean;

  private constructor(options: LoopbackS3Options) {
    this.#strict = options.strict ?? true;
    this.settings = {
      latencyMs: 0,
      bandwidth: 0,
      clockOffsetMs: 0,
      quirks: options.quirks ?? {},
      login: options.login ?? testLogin,
    };
    for (const name of options.buckets ?? ["bucket"]) {
      this.buckets.set(name, new Bucket(name, options.directory));
    }
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (http, response) => {
      // every failure ends in an answer or a closed connection
      void this.#serve(http, response).catch(() => response.destroy());
    });
    this.#server.on("connection", () => (this.connections += 1));
  }

  /** Resolves once the server listens on 127.0.0.1. */
  static async start(options: LoopbackS3Options = {}): Promise<LoopbackS3> {
    const loopback = new LoopbackS3(options);
    await new Promise<void>((resolve, reject) => {
      loopback.#server.once("error", reject);
      loopback.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return loopback;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The only bucket, or the first. */
  get bucket(): Bucket {
    const [first] = this.buckets.values();
    if (first === undefined) throw new Error("Cannot use a server without a bucket");
    return first;
  }

  /** Sum of `counts`, or the count of some verbs. */
  count(...verbs: readonly LoopbackVerb[]): number {
    const entries = Object.entries(this.counts);
    const wanted = verbs as readonly string[];
    return entries
      .filter(([verb]) => wanted.length === 0 || wanted.includes(verb))
      .reduce((sum, [, n]) => sum + n, 0);
  }

  /** Forgets counts, log and faults; objects and settings stay. */
  reset(): void {
    this.counts = {};
    this.log = [];
    this.faults.clear();
  }

  /** Adds `count` objects `${prefix}${i}` of ramp bytes that take no memory; sharded: `${prefix}AA/BB/${i}`. */
  putSynthetic(prefix: string, count: number, size: number, sharded = false): void {
    const name = sharded ? shardedName : String;
    this.bucket.putSynthetic(
      Array.from({ length: count }, (_, i) => this.#synthetic(`${prefix}${name(i)}`, size)),
    );
  }

  /** Adds the objects of a Synapse media store, 1 KiB each; tells how many directories, and the last key of each 1000. */
  putSynapse(count: number): { readonly directories: number; readonly starts: readonly string[] } {
    const { keys, directories } = synapseBucket(count);
    const headers = {};
    const body = { kind: "ramp", seed: 0 } as const;
    const lastModified = this.#now();
    this.bucket.putSynthetic(
      keys.map((key) => ({ key, size: 1024, etag: md5Hex(key), lastModified, headers, body })),
    );
    const sorted = this.bucket.objects.keys;
    return { directories, starts: sorted.filter((_, i) => i % 1000 === 999) };
  }

  /** Adds one object of ramp bytes that takes no memory. */
  putRamp(key: string, size: number, seed = 0): void {
    this.bucket.putSynthetic([{ ...this.#synthetic(key, size), body: { kind: "ramp", seed } }]);
  }

  /** Adds one small object without a request. */
  putText(key: string, text: string | Buffer): void {
    const data = Buffer.from(text);
    const body = { kind: "memory", chunks: [data] } as const;
    const etag = md5Hex(data);
    const lastModified = this.#now();
    this.bucket.put({ key, size: data.length, etag, lastModified, headers: {}, body });
  }

  /** Cuts every connection, and stops listening until `listenAgain`. */
  async stopListening(): Promise<number> {
    const { port } = this;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    return port;
  }

  async listenAgain(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    await this.stopListening();
  }

  #synthetic(key: string, size: number): StoredObject {
    const etag = `${md5Hex(`${key} ${size}`)}-1`;
    const body = { kind: "ramp", seed: 0 } as const;
    return { key, size, etag, lastModified: this.#now(), headers: {}, body };
  }

  #now(): number {
    return Date.now() + this.settings.clockOffsetMs;
  }

  async #serve(http: IncomingMessage, response: ServerResponse): Promise<void> {
    if (http.url?.startsWith("/_admin/") === true) {
      await answerAdmin(this, http, response);
      return;
    }
    const request = parseRequest(http, new Set(this.buckets.keys()));
    const { verb, key } = request;
    this.counts[verb] = (this.counts[verb] ?? 0) + 1;
    const entry: LogEntry = {
      verb,
      key,
      query: request.rawQuery,
      range: header(http, "range"),
      headers: http.headers,
      at: Date.now(),
      status: 0,
    };
    if (this.log.push(entry) > maxLogEntries) this.log.splice(0, maxLogEntries / 2);
    response.on("close", () => (entry.status = response.headersSent ? response.statusCode : 0));
    response.setHeader("Date", new Date(this.#now()).toUTCString());
    response.setHeader("x-amz-request-id", `loopback-${this.log.length}`);
    response.setHeader("Server", "pailfs-loopback");
    if (this.settings.latencyMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.settings.latencyMs));
    }
    await this.#answer(request, response);
  }

  async #answer(request: S3Request, response: ServerResponse): Promise<void> {
    const { quirks, login, bandwidth } = this.settings;
    const effect = this.faults.take(request.verb, request.key);
    try {
      if (effect?.kind === "hang") return;
      if (effect?.kind === "reset") {
        response.socket?.resetAndDestroy();
        return;
      }
      if (effect?.kind === "status") {
        if (effect.retryAfter !== undefined) response.setHeader("Retry-After", effect.retryAfter);
        throw new S3Refusal(effect.status, effect.code ?? codes[effect.status] ?? "Unknown");
      }
      const now = this.#now();
      if (this.#strict) checkSignature(request, login, now);
      refuseChecksums(request, quirks);
      refuseWhoDoesNotPay(request, quirks);
      const bucket = this.buckets.get(request.bucket);
      if (bucket === undefined) throw new S3Refusal(404, "NoSuchBucket");
      const strict = this.#strict;
      const exchange: Exchange = {
        request,
        response,
        bucket,
        quirks,
        effect,
        now,
        bandwidth,
        strict,
      };
      await dispatch(exchange, this.buckets);
    } catch (error) {
      if (!(error instanceof S3Refusal)) throw error;
      const bare = effect?.kind === "status" && effect.bare === true;
      replyRefusal({ request, response, quirks: bare ? { bareErrors: true } : quirks }, error);
    }
  }
}

const codes: Readonly<Record<number, string>> = {
  400: "RequestTimeout",
  403: "AccessDenied",
  404: "NoSuchKey",
  429: "TooManyRequests",
  500: "InternalError",
  503: "SlowDown",
};

function refuseChecksums(request: S3Request, quirks: Quirks): void {
  if (quirks.refuseChecksumHeaders === undefined) return;
  const names = Object.keys(request.http.headers);
  if (!names.some((name) => /^x-amz-(sdk-)?checksum/.test(name))) return;
  const status = quirks.refuseChecksumHeaders;
  throw new S3Refusal(status, status === 400 ? "InvalidArgument" : "NotImplemented");
}

function refuseWhoDoesNotPay({ http }: S3Request, quirks: Quirks): void {
  if (quirks.requesterPays !== true || header(http, "x-amz-request-payer") === "requester") return;
  throw new S3Refusal(403, "AccessDenied", "Access Denied");
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Two levels of directories as Synapse makes them: 2,704 above, then as many as it takes for one file in each. */
function shardedName(i: number): string {
  const pair = (n: number): string =>
    `${letters[n % 52] ?? ""}${letters[Math.floor(n / 52) % 52] ?? ""}`;
  return `${pair(i)}/${pair(Math.floor(i / 2704))}/${i}`;
}
