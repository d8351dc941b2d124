import type { LoopbackS3 } from "../loopback-s3/loopback-s3.ts";
import type { StoredObject } from "../loopback-s3/objects.ts";

/** An object was written, or is gone. */
export interface BucketChange {
  readonly at: bigint;
  readonly key: string;
  /** Undefined: deleted. */
  readonly object: StoredObject | undefined;
}

/** Every change of a bucket in memory with its time, so that it can be had as of any moment. */
export class BucketHistory {
  readonly changes: BucketChange[] = [];
  readonly #end: () => void;

  constructor(s3: LoopbackS3) {
    const { bucket } = s3;
    const put = bucket.put.bind(bucket);
    const remove = bucket.delete.bind(bucket);
    bucket.put = (object) => {
      this.changes.push({ at: process.hrtime.bigint(), key: object.key, object });
      put(object);
    };
    bucket.delete = (key) => {
      this.changes.push({ at: process.hrtime.bigint(), key, object: undefined });
      return remove(key);
    };
    this.#end = () => Object.assign(bucket, { put, delete: remove });
  }

  /** Takes no more notes. */
  end(): void {
    this.#end();
  }
}

/** Makes a bucket hold what the recorded one held then. */
export function restoreBucket(s3: LoopbackS3, changes: readonly BucketChange[], at: bigint): void {
  const { objects } = s3.bucket;
  objects.clear();
  for (const { at: changed, key, object } of changes) {
    if (changed > at) return;
    if (object === undefined) objects.delete(key);
    else objects.put(object);
  }
}
