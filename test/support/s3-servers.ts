// The S3 servers of the contract tests: started on 127.0.0.1, skipped loudly where their binary is absent.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { Agent, fetch, type RequestInit, type Response } from "undici";
import type { S3Config } from "../../src/s3/s3-call.ts";
import { freePort } from "./free-port.ts";
import type { Quirks } from "./loopback-s3/quirks.ts";
import { LoopbackS3, testLogin } from "./loopback-s3/loopback-s3.ts";
import { tlsCertificate, tlsKey } from "./tls-identity.ts";

/** What the contract may expect of a server. */
export interface ServerTraits {
  /** Signatures are verified. */
  readonly authentication: boolean;
  /** Parts below 5 MiB are refused. */
  readonly minPartSize: boolean;
  readonly conditionalPut: boolean;
  /** Complete answers another ETag than HEAD does later (gofakes3). */
  readonly foreignCompleteEtag?: boolean;
  /** A copy with REPLACE keeps the source's metadata (gofakes3). */
  readonly keepsMetadata?: boolean;
  /** Name for `S3Config.provider`. */
  readonly provider: string;
}

export interface RunningServer {
  readonly config: S3Config;
  /** Present for the loopback server. */
  readonly loopback?: LoopbackS3;
  stop(): Promise<void>;
}

export interface TestServer {
  readonly name: string;
  readonly traits: ServerTraits;
  /** Its absence is fine in CI too. */
  readonly optional?: boolean;
  /** Undefined when its binary is absent. */
  start(): Promise<RunningServer | undefined>;
}

const bucket = "contract-bucket";
const binaries = process.env["PAILFS_TEST_BIN"] ?? join(homedir(), ".cache/pailfs-test/bin");
const startMs = 15_000;

function configOf(endpoint: string, provider: string): S3Config {
  return { bucket, endpoint, provider, credentials: async () => testLogin, deadlineMs: 10_000 };
}

/** The same server, spoken to with other settings of the store. */
export function withConfig(
  server: TestServer,
  name: string,
  config: Partial<S3Config>,
): TestServer {
  return {
    ...server,
    name: `${server.name} ${name}`,
    start: async () => {
      const running = await server.start();
      return running && { ...running, config: { ...running.config, ...config } };
    },
  };
}

/** The loopback server with some quirks. */
export function loopbackServer(
  name: string,
  quirks: Quirks,
  traits: Partial<ServerTraits> = {},
): TestServer {
  const all: ServerTraits = {
    authentication: true,
    minPartSize: true,
    conditionalPut: true,
    provider: "aws",
    ...traits,
  };
  return {
    name: `loopback ${name}`,
    traits: all,
    start: async () => {
      const loopback = await LoopbackS3.start({ buckets: [bucket], quirks });
      const config = configOf(loopback.endpoint, all.provider);
      return { config, loopback, stop: async () => loopback.close() };
    },
  };
}

interface Command {
  readonly binary: string;
  readonly args: (port: number, directory: string) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** It finds public.crt and private.key in the folder "certs". */
  readonly tls?: boolean;
}

function binaryServer(name: string, traits: ServerTraits, command: Command): TestServer {
  const binary = join(binaries, command.binary);
  return {
    name,
    traits,
    start: async () => {
      if (!existsSync(binary)) return undefined;
      const directory = await dir({ unsafeCleanup: true, prefix: "pailfs-s3-" });
      await mkdir(join(directory.path, "data"));
      const certificates = join(directory.path, "certs");
      await mkdir(certificates);
      await writeFile(join(certificates, "public.crt"), tlsCertificate);
      await writeFile(join(certificates, "private.key"), tlsKey);
      const port = await freePort();
      const child = spawn(binary, command.args(port, directory.path), {
        env: { ...process.env, ...command.env },
        stdio: "ignore",
      });
      const stop = async (): Promise<void> => {
        await endProcess(child);
        await directory.cleanup();
      };
      const { tls = false } = command;
      const endpoint = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
      const config = {
        ...configOf(endpoint, traits.provider),
        ...(tls ? { ca: tlsCertificate } : {}),
      };
      try {
        await answering(config, child);
        await createBucket(config);
        return { config, stop };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}

const { accessKeyId, secretAccessKey } = testLogin;

export const versitygw = binaryServer(
  "versitygw",
  {
    authentication: true,
    minPartSize: true,
    conditionalPut: true,
    provider: "versitygw",
  },
  {
    binary: "versitygw",
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
    args: (port, directory) => [
      "--quiet",
      "--port",
      `127.0.0.1:${port}`,
      "posix",
      join(directory, "data"),
    ],
  },
);

export const gofakes3 = binaryServer(
  "gofakes3",
  {
    authentication: false,
    minPartSize: false,
    conditionalPut: true,
    foreignCompleteEtag: true,
    keepsMetadata: true,
    provider: "gofakes3",
  },
  {
    binary: "gofakes3",
    args: (port) => ["-host", `127.0.0.1:${port}`, "-backend", "memory"],
  },
);

function minioServer(name: string, tls: boolean): TestServer {
  const server = binaryServer(
    name,
    {
      authentication: true,
      minPartSize: true,
      conditionalPut: true,
      provider: "minio",
    },
    {
      binary: "minio",
      tls,
      env: {
        MINIO_ROOT_USER: accessKeyId,
        MINIO_ROOT_PASSWORD: secretAccessKey,
        MINIO_BROWSER: "off",
      },
      args: (port, directory) => [
        "server",
        "--quiet",
        ...(tls ? ["--certs-dir", join(directory, "certs")] : []),
        "--address",
        `127.0.0.1:${port}`,
        join(directory, "data"),
      ],
    },
  );
  return { ...server, optional: true };
}

export const minio = minioServer("minio", false);

/** It takes keys of customers over TLS only. */
export const minioTls = minioServer("minio over TLS", true);

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const killer = setTimeout(() => child.kill("SIGKILL"), 3_000);
  await ended;
  clearTimeout(killer);
}

async function answering(config: S3Config, child: ChildProcess): Promise<void> {
  const until = Date.now() + startMs;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Server exited with ${child.exitCode}`);
    // any answer is readiness, even 403
    const answered = await ask(config, "").then(
      () => true,
      () => false,
    );
    if (answered) return;
    if (Date.now() > until) throw new Error("Server does not answer");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function ask(config: S3Config, path: string, init: RequestInit = {}): Promise<Response> {
  const dispatcher = new Agent({ connect: { ca: config.ca } });
  try {
    return await fetch(`${config.endpoint}${path}`, { ...init, dispatcher });
  } finally {
    // lets the answer end first
    void dispatcher.close();
  }
}

/** The one verb our store has not: PUT of a bucket, signed by hand. */
async function createBucket(config: S3Config, until = Date.now() + startMs): Promise<void> {
  const { host } = new URL(config.endpoint ?? "");
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const hash = createHash("sha256").digest("hex");
  const names = "host;x-amz-content-sha256;x-amz-date";
  const canonical = `PUT\n/${bucket}\n\nhost:${host}\nx-amz-content-sha256:${hash}\nx-amz-date:${date}\n\n${names}\n${hash}`;
  const scope = [date.slice(0, 8), "us-east-1", "s3", "aws4_request"];
  const digest = createHash("sha256").update(canonical).digest("hex");
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope.join("/")}\n${digest}`;
  let key: string | Buffer = `AWS4${secretAccessKey}`;
  for (const part of scope) key = createHmac("sha256", key).update(part).digest();
  const signature = createHmac("sha256", key).update(text).digest("hex");
  const credential = `${accessKeyId}/${scope.join("/")}`;
  const answer = await ask(config, `/${bucket}`, {
    method: "PUT",
    headers: {
      "x-amz-content-sha256": hash,
      "x-amz-date": date,
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    },
  });
  // MinIO answers before it is ready
  if (answer.status === 503 && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return createBucket(config, until);
  }
  if (!answer.ok) throw new Error(`Cannot create bucket: ${answer.status} ${await answer.text()}`);
}
