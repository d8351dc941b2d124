// Bodies that break in the middle.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import type { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import type { FaultEffect } from "../support/loopback-s3/faults.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

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

describe("a torn body is resumed", () => {
  const torn: readonly FaultEffect[] = [
    { kind: "resetBody", afterBytes: 100_001 },
    { kind: "truncateBody", afterBytes: 1 },
    { kind: "stallBody", afterBytes: 200_000 },
  ];
  test.each(torn.map((effect) => ({ effect, fault: JSON.stringify(effect) })))(
    "$fault",
    async ({ effect }) => {
      loopback.faults.add({ effect, verbs: ["GET"], times: 1 });
      const got = await store.getObject(key, { range: { start: 1000, end: size } });
      expect(data.subarray(1000).equals(await bytesOf(got))).toBe(true);
      expect(loopback.counts.GET).toBe(2);
      const [, second] = loopback.log;
      expect(second?.headers["if-match"]).toBe(`"${etag}"`);
    },
  );

  test("but not over a replaced object: ESTALE", async () => {
    loopback.faults.add({ effect: { kind: "resetBody", afterBytes: 100_000 }, times: 1 });
    const got = await store.getObject(key);
    await store.putObject(key, bufferUploadSource(rampBytes(size, 1)));
    await expect(bytesOf(got)).rejects.toMatchObject({ code: "ESTALE" });
  });

  test("nor over a replaced object where If-Match is ignored", async () => {
    loopback.settings.quirks = { ignoreIfMatchOnGet: true };
    loopback.faults.add({ effect: { kind: "resetBody", afterBytes: 100_000 }, times: 1 });
    const got = await store.getObject(key);
    await store.putObject(key, bufferUploadSource(rampBytes(size, 1)));
    await expect(bytesOf(got)).rejects.toMatchObject({ code: "ESTALE" });
  });

  test("for as long as it progresses, then EIO", async () => {
    loopback.faults.add({ effect: { kind: "resetBody", afterBytes: 50_000 } });
    const got = await store.getObject(key);
    expect(data.equals(await bytesOf(got))).toBe(true);
    loopback.faults.add({ effect: { kind: "stallBody", afterBytes: 0 } });
    loopback.faults.clear();
    loopback.faults.add({ effect: { kind: "truncateBody", afterBytes: 0 } });
    const stuck = storeOn(loopback, { deadlineMs: 400 });
    const never = stuck.getObject(key).then(bytesOf);
    await expect(never).rejects.toMatchObject({ code: "EIO" });
    await stuck.close();
  });

  test("and a reader's own pauses do not count", async () => {
    const impatient = storeOn(loopback, { deadlineMs: 200 });
    loopback.putRamp("big", 32 * 2 ** 20);
    const got = await impatient.getObject(asKey("big"));
    await new Promise((resolve) => setTimeout(resolve, 400));
    let bytes = 0;
    for await (const chunk of got.body) {
      if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 400));
      bytes += chunk.length;
    }
    expect(bytes).toBe(32 * 2 ** 20);
    await impatient.close();
  });

  test("a slow body within the deadline's silence is fine", async () => {
    loopback.faults.add({ effect: { kind: "slowBody", bytesPerSecond: 150_000 } });
    expect(data.equals(await bytesOf(await store.getObject(key)))).toBe(true);
    expect(loopback.counts.GET).toBe(1);
  });
});
