// Each departure of a real server that could lose or hide data, and what the store makes of it.
import { afterEach, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { listAllPages } from "../support/list-all-pages.ts";
import type { ListOptions } from "../../src/s3/object-store.ts";
import type { S3Config } from "../../src/s3/s3-call.ts";
import { isRefused } from "../../src/s3/s3-error.ts";
import type { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import type { Quirks } from "../support/loopback-s3/quirks.ts";
import { asKey, bytesOf, rampBytes, storeOn } from "../support/s3-store.ts";

const MiB = 2 ** 20;
const key = asKey("dir/key");
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(
  quirks: Quirks,
  config: Partial<S3Config> = {},
): Promise<{ loopback: LoopbackS3; store: S3ObjectStore }> {
  const loopback = await LoopbackS3.start({ quirks });
  const store = storeOn(loopback, { deadlineMs: 800, ...config });
  cleanups.push(async () => {
    await store.close();
    await loopback.close();
  });
  return { loopback, store };
}

async function allNames(store: S3ObjectStore, options: ListOptions): Promise<string[]> {
  const names: string[] = [];
  for await (const page of listAllPages(store, options)) {
    names.push(...page.objects.map((object) => object.key), ...page.commonPrefixes);
  }
  return names;
}

const source = bufferUploadSource(rampBytes(1000));

test("a range of another version is ESTALE where If-Match is ignored", async () => {
  const { store } = await start({ ignoreIfMatchOnGet: true });
  const { etag } = await store.putObject(key, source);
  await store.putObject(key, bufferUploadSource(rampBytes(1000, 1)));
  const get = store.getObject(key, { range: { start: 0, end: 10 }, ifMatch: etag });
  await expect(get).rejects.toMatchObject({ code: "ESTALE" });
});

test("conditions are not sent to stores that are not known to do them", async () => {
  const { store, loopback } = await start({ conditionalPut501: true });
  expect(store.features.conditionalPut).toBe(false);
  await store.putObject(key, source, { ifNoneMatch: true });
  await store.putObject(key, source, { ifMatch: "other" });
  expect(loopback.log.some(({ headers }) => "if-match" in headers)).toBe(false);
  expect(loopback.log.some(({ headers }) => "if-none-match" in headers)).toBe(false);
});

test.each([
  ["aws", true],
  ["minio", false],
])("a delete of one version on %s sends the condition: %s", async (provider, isSent) => {
  const { store, loopback } = await start({}, { provider });
  const { etag } = await store.putObject(key, source);
  await store.putObject(key, bufferUploadSource(rampBytes(5)));
  const wrong = store.deleteObject(key, { ifMatch: etag });
  if (isSent) await expect(wrong).rejects.toMatchObject({ code: "ESTALE" });
  else await wrong;
  const sent = loopback.log.filter(({ verb }) => verb === "DELETE");
  expect(sent.map(({ headers }) => headers["if-match"])).toEqual([
    isSent ? `"${etag}"` : undefined,
  ]);
});

test("the right ETag that is refused all the same is written without, once", async () => {
  const { store, loopback } = await start({ ifMatchOnPutAlways412: true }, { provider: "aws" });
  const { etag } = await store.putObject(key, source);
  await store.putObject(key, bufferUploadSource(rampBytes(5)), { ifMatch: etag });
  expect((await store.headObject(key))?.size).toBe(5);
  expect(loopback.counts.PUT).toBe(3);
  const stale = store.putObject(key, source, { ifMatch: etag });
  await expect(stale).rejects.toMatchObject({ code: "ESTALE" });
});

test("a copy of another version is ESTALE where the condition is ignored", async () => {
  const { store } = await start({ ignoreCopySourceIfMatch: true });
  const { etag } = await store.putObject(key, source);
  await store.putObject(key, bufferUploadSource(rampBytes(1000, 1)));
  const copy = store.copyObject(key, asKey("copy"), { size: 1000, ifMatch: etag });
  await expect(copy).rejects.toMatchObject({ code: "ESTALE" });
});

test("common prefixes that come again are told once", async () => {
  const { store, loopback } = await start({ repeatCommonPrefixes: true });
  for (const name of ["a/1", "b/1", "c/1", "d"]) loopback.putText(name, "x");
  const names = await allNames(store, { prefix: "", delimiter: "/", maxKeys: 2 });
  expect(names.sort()).toEqual(["a/", "b/", "c/", "d"]);
});

test("a listing that does not advance is EIO, neither endless nor cut", async () => {
  const { store, loopback } = await start({ tokenDoesNotAdvance: true });
  loopback.putSynthetic("k", 10, 1);
  const names = allNames(store, { prefix: "k", maxKeys: 2 });
  await expect(names).rejects.toMatchObject({ code: "EIO" });
});

test("a listing that starts again after a deleted key is EIO, and whole the next time", async () => {
  const { store, loopback } = await start({ restartAfterDeletedToken: true });
  loopback.putSynthetic("k", 9, 1);
  const disturbed = async (): Promise<void> => {
    for await (const page of listAllPages(store, { prefix: "k", maxKeys: 2 })) {
      if (page.objects.at(-1)?.key === "k3") loopback.bucket.delete("k3");
    }
  };
  await expect(disturbed()).rejects.toMatchObject({ code: "EIO" });
  expect(await allNames(store, { prefix: "k", maxKeys: 2 })).toHaveLength(8);
});

test.each(["utf8", "utf16", "walk"] as const)("order %s hides nothing", async (listOrder) => {
  const { store, loopback } = await start({ listOrder });
  const names = ["a/x", "a-b", "a", "\u{1F600}", "\uFF01", "z", "a/b/c"];
  for (const name of names) loopback.putText(name, "x");
  expect((await allNames(store, { prefix: "", maxKeys: 2 })).sort()).toEqual(names.sort());
});

test.each(["done", "plus", "ignored", "echoed"] as const)(
  "names come back whole with encoding-type %s",
  async (encodingType) => {
    const { store, loopback } = await start({ encodingType, encodeSlash: true });
    const names = ["a b+c%20d/é😀", "x&y<z>", "100%"];
    for (const name of names) loopback.putText(name, "x");
    expect((await allNames(store, { prefix: "" })).sort()).toEqual(names.sort());
  },
);

test.each(["quoted", "unquoted"] as const)("%s ETags in listings are equal", async (form) => {
  const { store } = await start({ etagsInListings: form });
  const { etag } = await store.putObject(key, source);
  expect((await store.listObjects({ prefix: "" })).objects[0]?.etag).toBe(etag);
});

test("a stray part does not come to be: retries use the same part number", async () => {
  const { store, loopback } = await start({ strayPartFailsComplete: true });
  const { uploadId } = await store.createMultipartUpload(key);
  const big = bufferUploadSource(rampBytes(6 * MiB));
  loopback.faults.add({ effect: { kind: "lostAnswer" }, verbs: ["UPLOAD_PART"], times: 1 });
  const parts = [
    await store.uploadPart(key, uploadId, 1, big, { start: 0, end: 5 * MiB }),
    await store.uploadPart(key, uploadId, 2, big, { start: 5 * MiB, end: 6 * MiB }),
  ];
  await store.completeMultipartUpload(key, uploadId, parts);
  expect((await store.headObject(key))?.size).toBe(6 * MiB);
});

test("Complete of a foreign upload that is gone is ESTALE where its ETag says nothing", async () => {
  const { store } = await start({ completeAgain404: true, opaqueMultipartEtag: true });
  const { uploadId } = await store.createMultipartUpload(key);
  const range = { start: 0, end: 1000 };
  const part = await store.uploadPart(key, uploadId, 1, source, range);
  await store.completeMultipartUpload(key, uploadId, [part]);
  const again = store.completeMultipartUpload(key, uploadId, [part]);
  await expect(again).rejects.toMatchObject({ code: "ESTALE" });
});

test("a copy goes through us where the store has neither copy", async () => {
  const { store, loopback } = await start({ noCopy: true, noUploadPartCopy: true });
  const { etag } = await store.putObject(key, source, { metadata: { mode: "33188" } });
  await store.copyObject(key, asKey("copy"), { size: 1000, ifMatch: etag });
  const copy = await store.getObject(asKey("copy"));
  expect(copy.info).toMatchObject({ etag, metadata: { mode: "33188" } });
  expect((await bytesOf(copy)).equals(rampBytes(1000))).toBe(true);
  expect(loopback.counts.GET).toBeGreaterThan(0);
});

test("no request carries a checksum header", async () => {
  const { store, loopback } = await start({ refuseChecksumHeaders: 501 });
  await store.putObject(key, source);
  await store.copyObject(key, asKey("copy"), { size: 1000 });
  await store.deleteObject(key);
  const names = loopback.log.flatMap(({ headers }) => Object.keys(headers));
  expect(names.filter((name) => /checksum|trailer/.test(name))).toEqual([]);
});

test("keys that are paths on the server are ENOTDIR and EISDIR, and refused for good", async () => {
  const { store, loopback } = await start({ hierarchicalKeys: true });
  loopback.putText("a", "x");
  loopback.putText("d/e", "x");
  const below = store.putObject(asKey("a/b"), source);
  await expect(below).rejects.toMatchObject({ code: "ENOTDIR" });
  const above = await store.putObject(asKey("d"), source).catch((error: unknown) => error);
  expect(above).toMatchObject({ code: "EISDIR" });
  expect(isRefused(above)).toBe(true);
});

test("a 404 without NoSuchKey is never ENOENT for a GET", async () => {
  const { store } = await start({ bareErrors: true });
  await expect(store.getObject(key)).rejects.toMatchObject({ code: "EIO" });
});

test("in a bucket that is gone HEAD is undefined, but a listing is ENXIO", async () => {
  const { store, loopback } = await start({});
  loopback.buckets.delete("bucket");
  expect(await store.headObject(key)).toBeUndefined();
  await expect(store.listObjects({ prefix: "" })).rejects.toMatchObject({ code: "ENXIO" });
  await expect(store.getObject(key)).rejects.toMatchObject({ code: "ENXIO" });
  await expect(store.putObject(key, source)).rejects.toMatchObject({ code: "ENXIO" });
});

test("a refused storage class is refused for good", async () => {
  const { store } = await start({ onlyStandardStorageClass: true }, { storageClass: "GLACIER" });
  const error = await store.putObject(key, source).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "EIO" });
  expect(isRefused(error)).toBe(true);
});
