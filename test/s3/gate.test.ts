// The proxy that tests put before an S3 server: what it notes, and what it does to requests.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { freePort } from "../support/free-port.ts";
import { LoopbackS3, testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { Gate, type GateEffect } from "../support/s3-gate/gate.ts";
import { asKey, bytesOf } from "../support/s3-store.ts";

const key = asKey("a folder/a name:1.bin");
const content = randomBytes(300_000);
const host = { bucket: "bucket", credentials: async () => testLogin };
let loopback: LoopbackS3;
let gate: Gate;
let store: S3ObjectStore;

beforeAll(async () => {
  // signatures are checked
  loopback = await LoopbackS3.start({ buckets: ["bucket"] });
  gate = await Gate.start(loopback.endpoint, await freePort());
  store = new S3ObjectStore({ ...host, endpoint: gate.endpoint, deadlineMs: 10_000 });
  await store.putObject(key, bufferUploadSource(content));
});

afterAll(async () => {
  await store?.close();
  await gate?.refuse();
  await loopback?.close();
});

/** A GET by hand, which nobody tries again. */
async function rawGet(): Promise<Response> {
  return fetch(`${gate.endpoint}/bucket/${encodeURIComponent("a folder")}/nothing`);
}

async function withFault(effect: GateEffect, action: () => Promise<void>): Promise<void> {
  gate.faults.add({ effect, times: 1 });
  try {
    await action();
  } finally {
    gate.faults.clear();
  }
}

test("what goes through is unchanged, and noted", async () => {
  const { length } = gate.log;
  expect(content.equals(await bytesOf(await store.getObject(key)))).toBe(true);
  expect((await store.headObject(key))?.size).toBe(content.length);
  await waitUntil("the answers have ended", () => gate.log.every(({ end }) => end === "whole"));
  expect(gate.log.slice(length)).toMatchObject([
    { verb: "GET", key, status: 200, sent: content.length, end: "whole" },
    { verb: "HEAD", key, status: 200, sent: 0, end: "whole" },
  ]);
});

test("a request can be refused, broken before and after it is done, and never answered", async () => {
  await withFault({ kind: "status", status: 503 }, async () => {
    expect((await rawGet()).status).toBe(503);
    expect(gate.log.at(-1)).toMatchObject({ status: 503, end: "whole" });
  });
  const arrived = loopback.count();
  await withFault({ kind: "reset" }, async () => {
    await expect(rawGet()).rejects.toThrow(/fetch failed/);
    expect(loopback.count()).toBe(arrived);
  });
  await withFault({ kind: "lostAnswer" }, async () => {
    await expect(rawGet()).rejects.toThrow(/fetch failed/);
    expect(loopback.count()).toBe(arrived + 1);
  });
  await withFault({ kind: "hang" }, async () => {
    const signal = AbortSignal.timeout(200);
    await expect(fetch(`${gate.endpoint}/bucket/x`, { signal })).rejects.toThrow(/timeout/);
    await waitUntil("the gate knows", () => gate.log.at(-1)?.end === "broken");
  });
});

test("a body that breaks is noted as broken; its reader gets the rest by a second request", async () => {
  const { length } = gate.log;
  await withFault({ kind: "resetBody", afterBytes: 100_000 }, async () => {
    expect(content.equals(await bytesOf(await store.getObject(key)))).toBe(true);
  });
  await waitUntil("both have ended", () => gate.log.every(({ end }) => end !== "open"));
  expect(gate.log.slice(length)).toMatchObject([
    { verb: "GET", status: 200, sent: 100_000, end: "broken" },
    { verb: "GET", end: "whole" },
  ]);
});

test("a slow body takes its time", async () => {
  const started = Date.now();
  await withFault({ kind: "slowBody", bytesPerSecond: 1_000_000 }, async () => {
    expect(content.equals(await bytesOf(await store.getObject(key)))).toBe(true);
  });
  expect(Date.now() - started).toBeGreaterThan(200);
});

test("latency holds each request, and a gate that refuses lets nobody in until it accepts again", async () => {
  gate.latencyMs = 150;
  const started = Date.now();
  await rawGet();
  gate.latencyMs = 0;
  expect(Date.now() - started).toBeGreaterThanOrEqual(149);
  await gate.refuse();
  await expect(rawGet()).rejects.toThrow(/fetch failed/);
  await gate.accept();
  expect((await rawGet()).status).toBe(403);
});
