// Keys of customers (SSE-C) in a bucket that holds objects of every kind.
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { S3Config } from "../../src/s3/s3-call.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import type { Quirks } from "../support/loopback-s3/quirks.ts";
import { versitygw } from "../support/s3-servers.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const ours = { kind: "customer", key: Buffer.alloc(32, "a").toString("base64") } as const;
const theirs = { kind: "customer", key: Buffer.alloc(32, "b").toString("base64") } as const;
const data = rampBytes(1000);

let loopback: LoopbackS3;
let open: S3ObjectStore[] = [];

beforeEach(async () => {
  loopback = await LoopbackS3.start();
});
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  open = [];
  await loopback.close();
});

function storeWith(config: Partial<S3Config>, quirks: Quirks = {}): S3ObjectStore {
  loopback.settings.quirks = quirks;
  const store = storeOn(loopback, config);
  open.push(store);
  return store;
}

async function putWith(key: string, encryption?: S3Config["encryption"]): Promise<void> {
  await storeWith({ encryption }).putObject(asKey(key), bufferUploadSource(data));
}

async function read(store: S3ObjectStore, key: string): Promise<Buffer> {
  return bytesOf(await store.getObject(asKey(key)));
}

describe("a bucket of plain objects and of our own", () => {
  test("is read as one, and each kind is asked for rightly from the second time on", async () => {
    await putWith("plain");
    await putWith("sealed", ours);
    const store = storeWith({ encryption: ours });
    for (const key of ["plain", "sealed"]) {
      expect((await store.headObject(asKey(key)))?.size).toBe(1000);
      expect(data.equals(await read(store, key))).toBe(true);
    }
    loopback.reset();
    for (const key of ["plain", "sealed", "plain", "sealed"]) await read(store, key);
    expect(loopback.count()).toBe(4);
  });

  test("of many plain objects costs one request each, but for the first", async () => {
    for (let i = 0; i < 10; i += 1) await putWith(`plain${i}`);
    const store = storeWith({ encryption: ours });
    loopback.reset();
    for (let i = 0; i < 10; i += 1) await read(store, `plain${i}`);
    expect(loopback.count("GET")).toBe(11);
  });

  test("is copied with the key that each source has, and all copies have ours", async () => {
    await putWith("plain");
    await putWith("sealed", ours);
    const store = storeWith({ encryption: ours });
    for (const key of ["plain", "sealed", "plain"]) {
      await store.copyObject(asKey(key), asKey(`${key} copy`), { size: 1000 });
      expect(loopback.bucket.objects.get(`${key} copy`)?.customerKeyMd5).toBeDefined();
      expect(data.equals(await read(store, `${key} copy`))).toBe(true);
    }
  });

  test("tells absence as ever", async () => {
    const store = storeWith({ encryption: ours });
    expect(await store.headObject(asKey("absent"))).toBeUndefined();
    await expect(read(store, "absent")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("an object with another key", () => {
  test.each([
    ["a wrong one", ours],
    ["none", undefined],
  ])("is EACCES at once with %s, whatever asks", async (_, encryption) => {
    await putWith("sealed", theirs);
    const store = storeWith({ encryption });
    const key = asKey("sealed");
    const range = { start: 0, end: 10 };
    const calls = [
      store.headObject(key),
      store.getObject(key),
      store.readObject(key, { range, into: Buffer.alloc(10) }),
      ...(encryption ? [store.copyObject(key, asKey("copy"), { size: 1000 })] : []),
    ];
    const startedMs = performance.now();
    for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: "EACCES" });
      expect(String(reason)).toMatch(/sse_customer_key/);
      expect(String(reason)).not.toContain("\n");
    }
    // the deadline of retries is 3 s
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  test("is told from credentials that were denied, which are waited for", async () => {
    await putWith("sealed", ours);
    const store = storeWith({ encryption: ours });
    const denied = { kind: "status", status: 403 } as const;
    loopback.faults.add({ effect: denied, verbs: ["HEAD", "GET"], times: 5 });
    expect((await store.headObject(asKey("sealed")))?.size).toBe(1000);
    loopback.faults.add({ effect: denied, verbs: ["GET"], times: 3 });
    expect(data.equals(await read(store, "sealed"))).toBe(true);
    loopback.faults.add({ effect: denied, verbs: ["HEAD", "GET"] });
    const refused = store.headObject(asKey("sealed"), { deadlineMs: 500 });
    await expect(refused).rejects.toMatchObject({ code: "EIO" });
  });

  test("stops a mount in one line, unless others below the prefix can be read", async () => {
    await putWith("media/sealed", theirs);
    const store = storeWith({ encryption: ours });
    const error: unknown = await store.checkBucket({ prefix: "media/" }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "EACCES" });
    expect(String(error)).toMatch(/^\w+: Cannot use bucket "bucket" at .*: "media\/sealed" .*key/);
    await store.checkBucket({ prefix: "other/" });
    await putWith("media/z", ours);
    await store.checkBucket({ prefix: "media/" });
  });
});

test("an expired token of a HEAD stays a matter of credentials", async () => {
  await putWith("plain");
  const store = storeWith({});
  const expired = { kind: "status", status: 400, code: "ExpiredToken" } as const;
  loopback.faults.add({ effect: expired, verbs: ["HEAD", "GET"], times: 4 });
  expect((await store.headObject(asKey("plain")))?.size).toBe(1000);
});

describe("a service that ignores keys", () => {
  test("is found out by the first upload; then nothing more goes there in clear", async () => {
    const store = storeWith({ encryption: ours }, { ignoreCustomerKeys: true });
    const put = async (): Promise<unknown> =>
      store.putObject(asKey("k"), bufferUploadSource(data)).catch((error: unknown) => error);
    expect(await put()).toMatchObject({ code: "EOPNOTSUPP" });
    loopback.reset();
    expect(String(await put())).toMatch(/does not encrypt with sse_customer_key/);
    expect(loopback.count()).toBe(0);
  });

  test("VersityGW is one", { timeout: 30_000 }, async ({ skip }) => {
    const server = await versitygw.start();
    if (server === undefined) {
      skip("binary of versitygw not found, set PAILFS_TEST_BIN");
      return;
    }
    onTestFinished(async () => server.stop());
    const store = new S3ObjectStore({ ...server.config, encryption: ours });
    open.push(store);
    const put = store.putObject(asKey("k"), bufferUploadSource(data));
    await expect(put).rejects.toMatchObject({ code: "EOPNOTSUPP" });
  });
});

test("an upload into a bucket with a KMS key is sent once though its ETag is no MD5", async () => {
  const store = storeWith({}, { bucketEncryption: "aws:kms" });
  const { etag } = await store.putObject(asKey("k"), bufferUploadSource(data));
  expect(loopback.count("PUT")).toBe(1);
  await store.copyObject(asKey("k"), asKey("copy"), { size: 1000, ifMatch: etag });
  expect(data.equals(await read(store, "copy"))).toBe(true);
});

test("a storage class is for objects that are large enough, copies too", async () => {
  const store = storeWith({ storageClass: "STANDARD_IA", storageClassMinBytes: 1000 });
  const classOf = (key: string): unknown =>
    loopback.bucket.objects.get(key)?.headers["x-amz-storage-class"];
  await store.putObject(asKey("small"), bufferUploadSource(rampBytes(999)));
  await store.putObject(asKey("large"), bufferUploadSource(data));
  await store.copyObject(asKey("small"), asKey("small copy"), { size: 999 });
  await store.copyObject(asKey("large"), asKey("large copy"), { size: 1000 });
  expect(["small", "large", "small copy", "large copy"].map(classOf)).toEqual([
    undefined,
    "STANDARD_IA",
    undefined,
    "STANDARD_IA",
  ]);
});

test("an archived object is EACCES at once, in a line that says so", async () => {
  await storeWith({ storageClass: "GLACIER" }).putObject(asKey("a"), bufferUploadSource(data));
  const store = storeWith({});
  expect((await store.headObject(asKey("a")))?.storageClass).toBe("GLACIER");
  for (const call of [
    store.getObject(asKey("a")),
    store.copyObject(asKey("a"), asKey("b"), { size: 1000 }),
  ]) {
    const error: unknown = await call.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "EACCES" });
    expect(String(error)).toMatch(/InvalidObjectState .*it is archived: restore it/);
  }
});
