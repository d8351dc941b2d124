// What the store does to connections, slots and listeners.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import type { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const key = asKey("key");
const big = { key: asKey("big"), size: 64 * 2 ** 20 };
let loopback: LoopbackS3;
let store: S3ObjectStore;

beforeEach(async () => {
  loopback = await LoopbackS3.start();
  loopback.putText(key, rampBytes(100_000));
  loopback.putRamp(big.key, big.size);
  store = storeOn(loopback, { concurrency: 4 });
});

afterEach(async () => {
  await store.close();
  await loopback.close();
});

test("serial requests of any verb share one connection", async () => {
  for (let i = 0; i < 10; i += 1) {
    await store.headObject(key);
    await store.headObject(asKey("absent"));
    await bytesOf(await store.getObject(key));
    await store.putObject(asKey("new"), bufferUploadSource(rampBytes(1000)));
    await store.listObjects({ prefix: "" });
    await store.getObject(asKey("absent")).catch(() => undefined);
  }
  expect(loopback.connections).toBe(1);
});

test("a page that waits for its turn holds no slot", async () => {
  const started: (() => void)[] = [];
  const turn = (): Promise<void> => new Promise((resolve) => started.push(resolve));
  let parsed = 0;
  const pages = Array.from({ length: 4 }, async () => {
    const { objects } = await store.listObjects({ prefix: "", turn });
    parsed += 1;
    return objects.length;
  });
  await vi.waitFor(() => expect(started).toHaveLength(4), 10_000);
  await store.headObject(key);
  expect(parsed).toBe(0);
  for (const start of started) start();
  expect(await Promise.all(pages)).toEqual([2, 2, 2, 2]);
  const refusal = new Error("no turn");
  await expect(
    store.listObjects({ prefix: "", turn: () => Promise.reject(refusal) }),
  ).rejects.toMatchObject({ code: "EIO" });
});

test("no more requests run than the limit", async () => {
  loopback.settings.latencyMs = 20;
  await Promise.all(Array.from({ length: 40 }, async () => store.headObject(key)));
  expect(loopback.connections).toBeLessThanOrEqual(4);
});

test("getObject() resolves with the headers, before the body", async () => {
  loopback.settings.bandwidth = 1_000_000;
  const started = performance.now();
  const got = await store.getObject(big.key);
  for await (const chunk of got.body) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(performance.now() - started).toBeLessThan(1_000);
});

test("a reader that does not read holds back the server, and no slot", async () => {
  const idle = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const got = await store.getObject(big.key);
      const iterator = got.body[Symbol.asyncIterator]();
      await iterator.next();
      return iterator;
    }),
  );
  const { rss } = process.memoryUsage();
  expect((await store.headObject(key))?.size).toBe(100_000);
  expect(process.memoryUsage().rss - rss).toBeLessThan(64 * 2 ** 20);
  for (const iterator of idle) await iterator.return?.();
});

test("an abort frees the socket and rejects with EINTR", async () => {
  const controller = new AbortController();
  const got = await store.getObject(big.key, { signal: controller.signal });
  const iterator = got.body[Symbol.asyncIterator]();
  await iterator.next();
  controller.abort();
  const drained = (async () => {
    for (;;) if ((await iterator.next()).done === true) return;
  })();
  await expect(drained).rejects.toMatchObject({ code: "EINTR" });
  await vi.waitFor(() => expect(loopback.log.at(-1)?.status).toBe(200));
  // all slots are there again
  await Promise.all(Array.from({ length: 8 }, async () => store.headObject(key)));
});

test("an abort ends a wait for an answer, for a retry and for a slot", async () => {
  const one = storeOn(loopback, { concurrency: 1, deadlineMs: 20_000 });
  loopback.faults.add({ effect: { kind: "hang" }, verbs: ["HEAD"], times: 1 });
  loopback.faults.add({ effect: { kind: "status", status: 503 }, verbs: ["LIST"] });
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [
    one.headObject(key, { signal }),
    one.listObjects({ prefix: "", signal }),
    store.listObjects({ prefix: "", signal }),
  ];
  await vi.waitFor(() => expect(loopback.count("HEAD", "LIST")).toBeGreaterThan(1));
  controller.abort();
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: "EINTR" });
  await one.close();
});

test("close() ends calls under way with EINTR", async () => {
  loopback.faults.add({ effect: { kind: "hang" } });
  const call = store.headObject(key).catch((error: unknown) => error);
  await vi.waitFor(() => expect(loopback.count("HEAD")).toBe(1));
  await store.close();
  expect(await call).toMatchObject({ code: "EINTR" });
});

test("a server that comes back is used again", async () => {
  const port = await loopback.stopListening();
  const call = store.headObject(key);
  setTimeout(() => void loopback.listenAgain(port), 300);
  expect((await call)?.size).toBe(100_000);
});

test("requests are counted by verb, retries included", async () => {
  loopback.faults.add({ effect: { kind: "status", status: 503 }, verbs: ["HEAD"], times: 2 });
  await store.headObject(key);
  await store.listObjects({ prefix: "" });
  expect(store.requests).toMatchObject({ HEAD: 3, LIST: 1, GET: 0 });
  expect(loopback.counts).toEqual({ HEAD: 3, LIST: 1 });
});
