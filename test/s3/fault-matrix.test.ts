// Each verb under each fault: a passing one is outlived, one that stays is EIO at the deadline, never an absence.
import { expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import type { ObjectStore, S3Verb } from "../../src/s3/object-store.ts";
import type { Fault, FaultEffect } from "../support/loopback-s3/faults.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const key = asKey("dir/key");
const text = "some text";
const huge = { key: asKey("huge"), size: 5_100_000_000 };
const source = bufferUploadSource(rampBytes(1000));
const range = { start: 0, end: 1000 };

const calls: Readonly<Record<S3Verb, (store: ObjectStore) => Promise<unknown>>> = {
  GET: async (s) => String(await bytesOf(await s.getObject(key))),
  HEAD: async (s) => (await s.headObject(key))?.size,
  PUT: async (s) => s.putObject(key, source),
  DELETE: async (s) => s.deleteObject(key),
  LIST: async (s) => (await s.listObjects({ prefix: "dir/" })).objects[0]?.key,
  COPY: async (s) => s.copyObject(key, asKey("copy"), { size: text.length }),
  CREATE_MULTIPART: async (s) => s.createMultipartUpload(key),
  UPLOAD_PART: async (s) => {
    const { uploadId } = await s.createMultipartUpload(key);
    return s.uploadPart(key, uploadId, 1, source, range);
  },
  COPY_PART: async (s) => s.copyObject(huge.key, key, { size: huge.size }),
  COMPLETE_MULTIPART: async (s) => {
    const { uploadId } = await s.createMultipartUpload(key);
    const part = await s.uploadPart(key, uploadId, 1, source, range);
    return s.completeMultipartUpload(key, uploadId, [part]);
  },
  ABORT_MULTIPART: async (s) => {
    const { uploadId } = await s.createMultipartUpload(key);
    return s.abortMultipartUpload(key, uploadId);
  },
};

const passing: readonly FaultEffect[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 503 },
  { kind: "status", status: 503, bare: true },
  { kind: "status", status: 429 },
  { kind: "status", status: 403 },
  { kind: "status", status: 400, code: "RequestTimeout" },
  { kind: "hang" },
  { kind: "reset" },
  { kind: "lostAnswer" },
  { kind: "errorThoughStored", status: 500 },
];
const lasting: readonly FaultEffect[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 503 },
  { kind: "status", status: 403 },
  { kind: "status", status: 429, bare: true },
  { kind: "hang" },
  { kind: "reset" },
];
const verbs = Object.keys(calls) as S3Verb[];

function rowsOf(
  effects: readonly FaultEffect[],
): { verb: S3Verb; effect: FaultEffect; fault: string }[] {
  return verbs.flatMap((verb) =>
    effects.map((effect) => ({ verb, effect, fault: JSON.stringify(effect) })),
  );
}

async function outcomeOf(verb: S3Verb, fault: Fault, deadlineMs: number): Promise<unknown> {
  const loopback = await LoopbackS3.start();
  const store = storeOn(loopback, { deadlineMs });
  loopback.putText(key, text);
  loopback.putRamp(huge.key, huge.size);
  loopback.faults.add({ ...fault, verbs: [verb] });
  try {
    return await calls[verb](store).catch((error: { code: string }) => error.code);
  } finally {
    await store.close();
    await loopback.close();
  }
}

test.concurrent.each(rowsOf(passing))("$verb outlives $fault", async ({ verb, effect }) => {
  const times = effect.kind === "hang" ? 1 : 2;
  const outcome = await outcomeOf(verb, { effect, times }, 1_500);
  const read: Partial<Record<S3Verb, unknown>> = { GET: text, HEAD: text.length, LIST: key };
  expect(outcome).not.toBe("EIO");
  expect(outcome).toEqual(read[verb] ?? outcome);
});

test.concurrent.each(rowsOf(lasting))("$verb is EIO after $fault", async ({ verb, effect }) => {
  const started = performance.now();
  expect(await outcomeOf(verb, { effect }, 300)).toBe("EIO");
  const ms = performance.now() - started;
  expect(ms).toBeGreaterThan(150);
  expect(ms).toBeLessThan(6_000);
});
