// readObject(): a range into the caller's memory, whatever the connection does on the way.
import { createHash, randomBytes } from "node:crypto";
import { createServer as createTlsServer } from "node:https";
import { createServer, type Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import type { FaultEffect } from "../support/loopback-s3/faults.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { tlsCertificate, tlsKey } from "../support/tls-identity.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const key = asKey("dir/key");
const data = randomBytes(900_000);

let loopback: LoopbackS3;
let store: S3ObjectStore;
let etag: string;

beforeEach(async () => {
  loopback = await LoopbackS3.start();
  store = storeOn(loopback, { deadlineMs: 1_500 });
  ({ etag } = await store.putObject(key, bufferUploadSource(data)));
  loopback.reset();
});

afterEach(async () => {
  await store.close();
  await loopback.close();
});

async function read(start: number, end: number): Promise<{ into: Buffer; counts: number[] }> {
  const into = Buffer.alloc(end - start);
  const counts: number[] = [];
  const range = { start, end };
  await store.readObject(key, { range, into, onBytes: (n) => counts.push(n), ifMatch: etag });
  return { into, counts };
}

test.each([
  [0, data.length],
  [1, data.length - 1],
  [data.length - 1, data.length],
])("brings bytes %d to %d and tells as they come", async (start, end) => {
  const { into, counts } = await read(start, end);
  expect(into.equals(data.subarray(start, end))).toBe(true);
  expect(counts.at(-1)).toBe(end - start);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(loopback.counts.GET).toBe(1);
});

const torn: readonly FaultEffect[] = [
  { kind: "resetBody", afterBytes: 300_001 },
  { kind: "truncateBody", afterBytes: 1 },
  { kind: "stallBody", afterBytes: 500_000 },
];
test.each(torn.map((effect) => ({ effect, name: effect.kind })))(
  "goes on where a body broke: $name",
  async ({ effect }) => {
    loopback.faults.add({ effect, verbs: ["GET"], times: 1 });
    const { into, counts } = await read(1000, data.length);
    expect(into.equals(data.subarray(1000))).toBe(true);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(loopback.counts.GET).toBe(2);
  },
);

describe("rejects", () => {
  test("with ESTALE when the object was replaced", async () => {
    await store.putObject(key, bufferUploadSource(rampBytes(data.length)));
    await expect(read(0, 10)).rejects.toMatchObject({ code: "ESTALE" });
  });

  test("with ESTALE when the object ends before the range does", async () => {
    loopback.settings.quirks = { ignoreIfMatchOnGet: true };
    await expect(read(data.length - 5, data.length + 5)).rejects.toMatchObject({ code: "ESTALE" });
    await expect(read(data.length, data.length + 5)).rejects.toMatchObject({ code: "ESTALE" });
  });

  test("with EIO at the deadline when every body breaks before its first byte", async () => {
    loopback.faults.add({ effect: { kind: "resetBody", afterBytes: 0 }, verbs: ["GET"] });
    const startedAt = Date.now();
    await expect(read(0, data.length)).rejects.toMatchObject({ code: "EIO" });
    expect(Date.now() - startedAt).toBeLessThan(10_000);
  });

  test("with EINTR on abort, and writes nothing afterwards", async () => {
    loopback.settings.bandwidth = 200_000;
    const into = Buffer.alloc(data.length);
    const abort = new AbortController();
    const options = { range: { start: 0, end: data.length }, into, signal: abort.signal };
    const reading = store.readObject(key, { ...options, onBytes: () => abort.abort() });
    await expect(reading).rejects.toMatchObject({ code: "EINTR" });
    into.fill(0);
    await delay(100);
    expect(into.every((byte) => byte === 0)).toBe(true);
  });
});

test("many at once do not mix, beside readers that take their time", async () => {
  // a busy host may need longer for all of this than a deadline that is there to pass
  await store.close();
  store = storeOn(loopback, { deadlineMs: 15_000 });
  const objects = await Promise.all(
    Array.from({ length: 6 }, async (_, n) => {
      const bytes = randomBytes(3_000_000 + n);
      await store.putObject(asKey(`many/${n}`), bufferUploadSource(bytes));
      return { key: asKey(`many/${n}`), bytes };
    }),
  );
  const slow = async (n: number): Promise<boolean> => {
    const { key: name, bytes } = objects[n % objects.length] ?? { key, bytes: data };
    const hash = createHash("sha256");
    for await (const chunk of (await store.getObject(name)).body) {
      await delay(1);
      hash.update(chunk);
    }
    return hash.digest("hex") === createHash("sha256").update(bytes).digest("hex");
  };
  const quick = async (n: number): Promise<boolean> => {
    const { key: name, bytes } = objects[n % objects.length] ?? { key, bytes: data };
    const into = Buffer.alloc(bytes.length);
    await store.readObject(name, { range: { start: 0, end: bytes.length }, into });
    return into.equals(bytes);
  };
  const runs = Array.from({ length: 36 }, async (_, n) => (n % 3 === 0 ? slow(n) : quick(n)));
  expect(await Promise.all(runs)).toEqual(runs.map(() => true));
});

describe("a server that sends what it likes", () => {
  let server: Server;
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  async function listening(what: Server): Promise<number> {
    await new Promise<void>((resolve) => what.listen(0, "127.0.0.1", resolve));
    const address = what.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }

  /** Answers any request with these pieces, 5 ms apart. */
  async function answering(pieces: readonly Buffer[]): Promise<S3ObjectStore> {
    server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        const send = async (): Promise<void> => {
          for (const piece of pieces) {
            socket.write(piece);
            await delay(5);
          }
          socket.end();
        };
        void send();
      });
    });
    const port = await listening(server);
    return new S3ObjectStore({
      bucket: "b",
      endpoint: `http://127.0.0.1:${port}`,
      credentials: async () => ({ accessKeyId: "k", secretAccessKey: "s" }),
    });
  }

  test("a head in small pieces, then the whole object though a range was asked", async () => {
    const body = randomBytes(600_000);
    const head = Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nETag: "${"e".repeat(4000)}"\r\n` +
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n",
    );
    const pieces = Array.from({ length: Math.ceil(head.length / 700) }, (_, n) =>
      head.subarray(n * 700, (n + 1) * 700),
    );
    const odd = await answering([...pieces, body.subarray(0, 70_000), body.subarray(70_000)]);
    const into = Buffer.alloc(1000);
    const range = { start: 400_000, end: 401_000 };
    const info = await odd.readObject(key, { range, into });
    expect(into.equals(body.subarray(400_000, 401_000))).toBe(true);
    expect(info.etag).toBe("e".repeat(4000));
    await odd.close();
  });

  test("over TLS", async () => {
    const body = randomBytes(5_000_000);
    const web = createTlsServer({ key: tlsKey, cert: tlsCertificate }, (_, response) => {
      response.writeHead(200, { "content-length": body.length }).end(body);
    });
    server = web;
    const port = await listening(web);
    const credentials = async () => ({ accessKeyId: "k", secretAccessKey: "s" });
    const endpoint = `https://127.0.0.1:${port}`;
    const safe = new S3ObjectStore({ bucket: "b", endpoint, credentials, ca: tlsCertificate });
    const into = Buffer.alloc(body.length);
    await Promise.all([
      safe.readObject(key, { range: { start: 0, end: body.length }, into }),
      safe.getObject(key).then(async (got) => expect((await bytesOf(got)).equals(body)).toBe(true)),
    ]);
    expect(into.equals(body)).toBe(true);
    await safe.close();
  });

  test("getObject() keeps its chunks whatever comes after them", async () => {
    const body = randomBytes(900_000);
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    const odd = await answering([
      Buffer.concat([head, body.subarray(0, 400_000)]),
      body.subarray(400_000),
    ]);
    expect((await bytesOf(await odd.getObject(key))).equals(body)).toBe(true);
    await odd.close();
  });
});
