// S3ObjectStore over a loopback server, for tests.
import type { ObjectBody, ObjectKey } from "../../src/s3/object-store.ts";
import type { S3Config } from "../../src/s3/s3-call.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { type LoopbackS3, testLogin } from "./loopback-s3/loopback-s3.ts";

/** A key without a check. */
export function asKey(key: string): ObjectKey {
  return key as ObjectKey;
}

/** A store on the server's first bucket; close it after the test. */
export function storeOn(loopback: LoopbackS3, config: Partial<S3Config> = {}): S3ObjectStore {
  return new S3ObjectStore({
    bucket: loopback.bucket.name,
    endpoint: loopback.endpoint,
    credentials: async () => testLogin,
    deadlineMs: 3_000,
    ...config,
  });
}

/** All bytes of a body. */
export async function bytesOf(object: ObjectBody): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of object.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `size` bytes of value (i + seed) mod 251: a wrong offset shows. */
export function rampBytes(size: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i + seed) % 251;
  return bytes;
}
