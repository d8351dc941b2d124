import { expect, onTestFinished, test } from "vitest";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { asKey, storeOn } from "../support/s3-store.ts";

test("failingSinceMs is when answers of use stopped coming, until one comes again", async () => {
  let server = await LoopbackS3.start();
  onTestFinished(async () => server.close());
  const { port } = server;
  const store = storeOn(server, { deadlineMs: 1000 });
  onTestFinished(async () => store.close());
  expect(store.failingSinceMs).toBeUndefined();
  await store.headObject(asKey("missing"));
  expect(store.failingSinceMs).toBeUndefined();

  const before = Date.now();
  await server.close();
  await expect(store.headObject(asKey("a"))).rejects.toThrow("HEAD");
  const since = store.failingSinceMs ?? 0;
  expect(since).toBeGreaterThanOrEqual(before);
  await expect(store.headObject(asKey("a"))).rejects.toThrow("HEAD");
  expect(store.failingSinceMs).toBe(since);

  server = await LoopbackS3.start({ port });
  await store.headObject(asKey("missing"));
  expect(store.failingSinceMs).toBeUndefined();

  // withdrawn by who asked: says nothing of S3
  const asked = store.headObject(asKey("a"), { signal: AbortSignal.abort() });
  await expect(asked).rejects.toThrow("HEAD");
  expect(store.failingSinceMs).toBeUndefined();
});
