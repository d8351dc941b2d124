// What the store puts right by itself: lost answers, corrupted uploads, clock, region, credentials.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { LoopbackS3, testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const MiB = 2 ** 20;
const key = asKey("dir/key");
const data = rampBytes(300_000);
const size = data.length;

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

describe("uploads", () => {
  test("a corrupted upload is sent again", async () => {
    loopback.faults.add({ effect: { kind: "corruptUpload" }, verbs: ["PUT"], times: 1 });
    const put = await store.putObject(asKey("c"), bufferUploadSource(data));
    expect(put.etag).toBe(etag);
    expect(loopback.counts.PUT).toBe(2);
    expect(data.equals(await bytesOf(await store.getObject(asKey("c"))))).toBe(true);
  });

  test("an ETag that stays another is one re-upload, and then the object is read back and has its own", async () => {
    loopback.faults.add({ effect: { kind: "wrongEtag" }, verbs: ["PUT"] });
    const put = await store.putObject(asKey("c"), bufferUploadSource(data));
    expect(put.etag).toBe(etag);
    expect(loopback.counts).toEqual({ PUT: 2, GET: 1, HEAD: 1 });
  });

  test("an upload that is corrupted again and again is an error, never an object that is believed", async () => {
    loopback.faults.add({ effect: { kind: "corruptUpload" }, verbs: ["PUT"] });
    const put = store.putObject(asKey("c"), bufferUploadSource(data));
    await expect(put).rejects.toMatchObject({
      code: "EIO",
      message: expect.stringContaining("other bytes than were sent") as unknown,
    });
  });

  test("where ETags are no MD5s, one object is read back and the others are believed", async () => {
    loopback.settings.quirks = { opaqueEtags: true };
    const first = await store.putObject(asKey("c"), bufferUploadSource(data));
    expect(loopback.counts).toEqual({ PUT: 2, GET: 1, HEAD: 1 });
    expect((await store.headObject(asKey("c")))?.etag).toBe(first.etag);
    await store.putObject(asKey("empty"), bufferUploadSource(Buffer.alloc(0)));
    expect(loopback.counts.PUT).toBe(3);
    const copy = { size, ifMatch: first.etag };
    await store.copyObject(asKey("c"), asKey("d"), copy);
    expect(loopback.counts).toEqual({ PUT: 3, GET: 1, HEAD: 2, COPY: 1 });
  });

  test("an empty object whose ETag stays another is read back too", async () => {
    loopback.settings.quirks = { opaqueEtags: true };
    await store.putObject(asKey("empty"), bufferUploadSource(Buffer.alloc(0)));
    expect(loopback.counts).toEqual({ PUT: 2, GET: 1, HEAD: 1 });
  });

  test.each([
    ["corruptUpload", {}, "EIO"],
    ["reset", { opaqueEtags: true }, undefined],
  ] as const)(
    "parts whose ETags stay others are read back as the object (%s)",
    async (kind, quirks, code) => {
      const source = bufferUploadSource(rampBytes(11 * MiB));
      const { uploadId } = await store.createMultipartUpload(asKey("m"));
      loopback.settings.quirks = quirks;
      loopback.faults.add({ effect: { kind }, verbs: ["UPLOAD_PART"], times: 2 });
      const parts = [
        await store.uploadPart(asKey("m"), uploadId, 1, source, { start: 0, end: 6 * MiB }),
        await store.uploadPart(asKey("m"), uploadId, 2, source, { start: 6 * MiB, end: 11 * MiB }),
      ];
      const completed = store.completeMultipartUpload(asKey("m"), uploadId, parts);
      if (code === undefined) {
        const { etag: whole } = await completed;
        expect((await store.headObject(asKey("m")))?.etag).toBe(whole);
        expect(loopback.counts.GET).toBe(2);
      } else {
        await expect(completed).rejects.toMatchObject({ code });
      }
    },
  );

  test("a conditional PUT whose answer was lost is known by its ETag", async () => {
    const conditional = storeOn(loopback, { provider: "aws" });
    loopback.faults.add({ effect: { kind: "lostAnswer" }, verbs: ["PUT"], times: 1 });
    const put = await conditional.putObject(asKey("c"), bufferUploadSource(data), {
      ifNoneMatch: true,
    });
    expect(put.etag).toBe(etag);
    await conditional.close();
  });

  test("a Complete whose answer was lost is known by its ETag", async () => {
    loopback.settings.quirks = { completeAgain404: true };
    loopback.faults.add({
      effect: { kind: "lostAnswer" },
      verbs: ["COMPLETE_MULTIPART"],
      times: 1,
    });
    const source = bufferUploadSource(rampBytes(6 * MiB));
    const { uploadId } = await store.createMultipartUpload(key);
    const first = await store.uploadPart(key, uploadId, 1, source, { start: 0, end: 5 * MiB });
    const last = await store.uploadPart(key, uploadId, 2, source, { start: 5 * MiB, end: 6 * MiB });
    const done = await store.completeMultipartUpload(key, uploadId, [last, first]);
    expect(await store.headObject(key)).toMatchObject({ etag: done.etag, size: 6 * MiB });
  });

  test("a failing source is its own error, not retried", async () => {
    const broken = {
      ...bufferUploadSource(data),
      // oxlint-disable-next-line eslint/require-yield -- it fails before
      async *read(): AsyncGenerator<Uint8Array> {
        throw Object.assign(new Error("disk"), { code: "EIO" });
      },
    };
    await expect(store.putObject(asKey("c"), broken)).rejects.toMatchObject({ code: "EIO" });
    expect(loopback.count("PUT")).toBe(0);
    expect(store.requests.PUT).toBe(2);
  });
});

describe("corrections", () => {
  test("a clock an hour off is corrected from the answer", async () => {
    loopback.settings.clockOffsetMs = 3_600_000;
    expect((await store.headObject(key))?.size).toBe(size);
    expect((await store.headObject(key))?.size).toBe(size);
    expect(loopback.counts.HEAD).toBe(3);
  });

  test("a wrong region is corrected from the answer", async () => {
    const elsewhere = storeOn(loopback, { region: "eu-west-3" });
    await elsewhere.checkBucket();
    expect((await elsewhere.headObject(key))?.size).toBe(size);
    await elsewhere.close();
  });

  test("many calls at once with a wrong region are all corrected", async () => {
    const elsewhere = storeOn(loopback, { region: "eu-west-3" });
    const lists = Array.from({ length: 12 }, async () => elsewhere.listObjects({ prefix: "dir/" }));
    for (const page of await Promise.all(lists)) expect(page.objects).toHaveLength(1);
    await elsewhere.close();
  });

  test("a credential provider that hangs is EIO at the deadline", async () => {
    const never = new Promise<never>(() => undefined);
    const stuck = storeOn(loopback, { deadlineMs: 300, credentials: async () => never });
    await expect(stuck.headObject(key)).rejects.toMatchObject({ code: "EIO" });
    await stuck.close();
  });

  test("expired credentials are fetched again", async () => {
    const { login } = loopback.settings;
    let refreshed = 0;
    const fresh = { ...login, sessionToken: "new" };
    const rotating = storeOn(loopback, {
      credentials: async ({ refresh } = { refresh: false }) => {
        if (refresh) refreshed += 1;
        return refreshed > 0 ? fresh : login;
      },
    });
    loopback.settings.login = fresh;
    expect((await rotating.headObject(key))?.size).toBe(size);
    expect((await rotating.listObjects({ prefix: "dir/" })).objects).toHaveLength(1);
    expect(refreshed).toBe(1);
    await rotating.close();
  });

  test("Retry-After is waited for", async () => {
    const effect = { kind: "status", status: 503, retryAfter: "1" } as const;
    loopback.faults.add({ effect, times: 1 });
    const started = performance.now();
    await store.headObject(key);
    expect(performance.now() - started).toBeGreaterThan(900);
  });
});

test("a last attempt that was cut short does not hide why the others failed", async () => {
  // chance makes the waits 100, 200, 400 and 800 ms, which leave the fifth attempt less than the third it would have
  let skippedMs = 0;
  const clock = {
    now: () => performance.now() + skippedMs,
    random: () => 0.999,
    sleep: async (ms: number) => void (skippedMs += ms),
  };
  const config = { bucket: "bucket", endpoint: loopback.endpoint, deadlineMs: 2_000 };
  const slow = new S3ObjectStore({ ...config, credentials: async () => testLogin }, clock);
  loopback.faults.add({ effect: { kind: "status", status: 503 }, verbs: ["HEAD"], times: 4 });
  loopback.faults.add({ effect: { kind: "hang" }, verbs: ["HEAD"] });
  await expect(slow.headObject(key)).rejects.toMatchObject({ cause: { status: 503 } });
  expect(loopback.counts.HEAD).toBe(5);
  await slow.close();
});
