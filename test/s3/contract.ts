// The contract of ObjectStore, run against every server.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { listAllPages } from "../support/list-all-pages.ts";
import type { ObjectStore } from "../../src/s3/object-store.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import type { RunningServer, TestServer } from "../support/s3-servers.ts";
import { asKey, bytesOf, rampBytes } from "../support/s3-store.ts";
import { oddKeys } from "./odd-keys.ts";
import { type Contract, keysBelow, put } from "./contract-test.ts";
import {
  bucketTests,
  conditionTests,
  copyAndDeleteTests,
  multipartTests,
} from "./contract-writes.ts";

/** Declares the tests for one server. */
export function objectStoreContract(server: TestServer): void {
  describe(`contract of ${server.name}`, () => {
    let running: RunningServer | undefined;
    let store: S3ObjectStore;

    beforeAll(async () => {
      running = await server.start();
      if (running === undefined) return;
      store = new S3ObjectStore(running.config);
    }, 30_000);

    afterAll(async () => {
      await store?.close();
      await running?.stop();
    });

    const contract = (name: string, body: (store: ObjectStore) => Promise<void>): void => {
      // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- the body has them
      test(name, { timeout: 30_000 }, async ({ skip }) => {
        if (running === undefined) {
          const message = `binary of ${server.name} not found, set PAILFS_TEST_BIN`;
          if (process.env["CI"] === "true" && server.optional !== true) throw new Error(message);
          skip(message);
        }
        await body(store);
      });
    };

    objectTests(contract);
    rangeTests(contract);
    listTests(contract);
    copyAndDeleteTests(contract, server);
    multipartTests(contract, server);
    conditionTests(contract, server);
    bucketTests(contract, () => running, server);
  });
}

function objectTests(contract: Contract): void {
  contract(
    "putObject() makes what getObject(), headObject() and listObjects() tell",
    async (store) => {
      const data = rampBytes(100_000);
      const etag = await put(store, "object/one", data);
      const head = await store.headObject(asKey("object/one"));
      expect(head).toMatchObject({ key: "object/one", size: 100_000, etag });
      expect(Math.abs((head?.lastModified ?? 0) - Date.now())).toBeLessThan(60_000);
      const got = await store.getObject(asKey("object/one"));
      expect(got.info).toMatchObject({ size: 100_000, etag });
      expect(data.equals(await bytesOf(got))).toBe(true);
      const [listed] = (await store.listObjects({ prefix: "object/one" })).objects;
      expect(listed).toMatchObject({ key: "object/one", size: 100_000 });
      expect([etag, ""]).toContain(listed?.etag);
    },
  );

  contract("putObject() replaces, and takes an empty body", async (store) => {
    await put(store, "object/two", rampBytes(10));
    await put(store, "object/two", rampBytes(0));
    expect((await store.headObject(asKey("object/two")))?.size).toBe(0);
    const got = await store.getObject(asKey("object/two"));
    expect(await bytesOf(got)).toHaveLength(0);
  });

  contract("putObject() stores a content type and metadata", async (store) => {
    const options = { contentType: "image/png", metadata: { mode: "33188", mtime: "1.5 s" } };
    await store.putObject(asKey("object/meta"), bufferUploadSource(rampBytes(5)), options);
    expect(await store.headObject(asKey("object/meta"))).toMatchObject(options);
  });

  contract(
    "headObject() resolves to undefined and getObject() rejects with ENOENT when absent",
    async (store) => {
      expect(await store.headObject(asKey("object/absent"))).toBeUndefined();
      const get = store.getObject(asKey("object/absent"));
      await expect(get).rejects.toMatchObject({ code: "ENOENT" });
    },
  );

  contract("keys of any characters come back as they went", async (store) => {
    for (const key of oddKeys) await put(store, `odd/${key}`, Buffer.from(key));
    for (const key of oddKeys) {
      const got = await store.getObject(asKey(`odd/${key}`));
      expect((await bytesOf(got)).toString()).toBe(key);
      expect(await keysBelow(store, `odd/${key}`)).toContain(`odd/${key}`);
    }
    expect(await keysBelow(store, "odd/")).toEqual(oddKeys.map((key) => `odd/${key}`).sort());
  });

  contract("an aborted call rejects with EINTR", async (store) => {
    const signal = AbortSignal.abort();
    const head = store.headObject(asKey("object/one"), { signal });
    await expect(head).rejects.toMatchObject({ code: "EINTR" });
  });
}

function rangeTests(contract: Contract): void {
  const data = rampBytes(300_000);
  const key = asKey("range/object");

  contract("getObject() delivers exactly the range, cut to the size", async (store) => {
    await put(store, key, data);
    const ranges = [
      [0, 1],
      [0, 300_000],
      [299_999, 300_000],
      [100_000, 200_001],
      [299_000, 400_000],
    ] as const;
    for (const [start, end] of ranges) {
      const got = await store.getObject(key, { range: { start, end } });
      expect(got.range).toEqual({ start, end: Math.min(end, 300_000) });
      expect(got.info.size).toBe(300_000);
      expect(data.subarray(start, end).equals(await bytesOf(got))).toBe(true);
    }
  });

  contract("getObject() past the end delivers nothing", async (store) => {
    await put(store, key, data);
    const got = await store.getObject(key, { range: { start: 300_000, end: 300_010 } });
    expect(await bytesOf(got)).toHaveLength(0);
    expect(got.info.size).toBe(300_000);
  });

  contract("getObject() with another version's ETag rejects with ESTALE", async (store) => {
    const old = await put(store, key, data);
    const range = { start: 10, end: 20 };
    const now = await put(store, key, rampBytes(300_000, 1));
    expect(now).not.toBe(old);
    const stale = store.getObject(key, { range, ifMatch: old });
    await expect(stale).rejects.toMatchObject({ code: "ESTALE" });
    const got = await store.getObject(key, { range, ifMatch: now });
    expect(await bytesOf(got)).toHaveLength(10);
  });

  contract("a reader that leaves early does no harm", async (store) => {
    await put(store, key, data);
    for (let i = 0; i < 5; i += 1) {
      const got = await store.getObject(key);
      for await (const chunk of got.body) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
    }
    expect((await store.headObject(key))?.size).toBe(300_000);
  });
}

function listTests(contract: Contract): void {
  contract("listObjects() with a delimiter tells each name once over all pages", async (store) => {
    const names = ["list/a/1", "list/a/2", "list/b/1", "list/b/2", "list/c", "list/d", "list/e/1"];
    for (const name of names) await put(store, name, rampBytes(1));
    const keys: string[] = [];
    const prefixes: string[] = [];
    const question = { prefix: "list/", delimiter: "/", maxKeys: 2 } as const;
    for await (const page of listAllPages(store, question)) {
      keys.push(...page.objects.map(({ key }) => key));
      prefixes.push(...page.commonPrefixes);
    }
    expect(keys.sort()).toEqual(["list/c", "list/d"]);
    expect(prefixes.sort()).toEqual(["list/a/", "list/b/", "list/e/"]);
  });

  contract("listObjects() of nothing is an empty page", async (store) => {
    expect(await store.listObjects({ prefix: "nothing/" })).toEqual({
      objects: [],
      commonPrefixes: [],
    });
  });

  contract("listObjects() pages by token", async (store) => {
    const names = Array.from({ length: 25 }, (_, i) => `pages/${i}`);
    await Promise.all(names.map(async (name) => put(store, name, rampBytes(1))));
    const found: string[] = [];
    for await (const page of listAllPages(store, { prefix: "pages/", maxKeys: 10 })) {
      expect(page.objects.length).toBeLessThanOrEqual(10);
      found.push(...page.objects.map(({ key }) => key));
    }
    expect(found.sort()).toEqual(names.sort());
  });

  contract("listObjects() starts after a key that may be there or not", async (store) => {
    const names = Array.from({ length: 10 }, (_, i) => `after/${i}`);
    await Promise.all(names.map(async (name) => put(store, name, rampBytes(1))));
    for (const [startAfter, first] of [
      ["after/4", 5],
      ["after/4a", 5],
      ["after/", 0],
      ["after/9", 10],
    ] as const) {
      const { objects } = await store.listObjects({ prefix: "after/", startAfter });
      expect(objects.map(({ key }) => key)).toEqual(names.slice(first));
    }
  });
}
