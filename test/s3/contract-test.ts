// What the parts of the contract share.
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import { listAllPages } from "../support/list-all-pages.ts";
import type { ObjectStore } from "../../src/s3/object-store.ts";
import { asKey } from "../support/s3-store.ts";

/** Declares one test of the contract. */
export type Contract = (name: string, body: (store: ObjectStore) => Promise<void>) => void;

/** Puts bytes; resolves to the ETag. */
export async function put(store: ObjectStore, key: string, data: Uint8Array): Promise<string> {
  return (await store.putObject(asKey(key), bufferUploadSource(data))).etag;
}

/** All keys below a prefix, sorted. */
export async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of listAllPages(store, { prefix })) {
    keys.push(...page.objects.map(({ key }) => key));
  }
  return keys.sort();
}
