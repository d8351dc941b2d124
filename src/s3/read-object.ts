// GET of an exact range into the caller's memory: no chunk outlives its arrival, so a large read leaves no garbage.
import { FsError } from "../posix/errno.ts";
import { type Opened, openObject, resumeObject } from "./get-object.ts";
import type { ObjectInfo, ObjectKey, ReadOptions } from "./object-store.ts";
import type { S3Client } from "./s3-client.ts";
import type { RetryState } from "./retry.ts";
import { failureOf, S3Failure } from "./s3-failure.ts";

/** Contract: ObjectStore.readObject. */
export async function readObject(
  client: S3Client,
  key: ObjectKey,
  options: ReadOptions,
): Promise<ObjectInfo> {
  const { range, into, onBytes } = options;
  const state = client.newState(options);
  const first = await openExisting(client, key, options, state);
  let { stream, range: delivered } = first;
  const { info } = first;
  let at = range.start;
  // once: answers without bytes are no progress
  state.deadline.progressed();
  while (at < range.end) {
    let position = delivered.start;
    try {
      if (range.end > info.size) throw tooShort(key, range.end, info.size);
      await stream.pour((chunk) => {
        const skip = Math.max(at - position, 0);
        const wanted = chunk.subarray(skip, Math.min(chunk.length, range.end - position));
        position += chunk.length;
        if (wanted.length === 0) return true;
        into.set(wanted, at - range.start);
        at += wanted.length;
        state.deadline.progressed();
        onBytes?.(at - range.start);
        return at < range.end || position < delivered.end;
      });
      if (at < range.end) throw new S3Failure({ code: "TruncatedBody" });
      stream.release(position >= delivered.end);
    } catch (error) {
      stream.release(false);
      const rest = { ...options, range: { start: at, end: range.end } };
      ({ stream, range: delivered } = await resumeObject(client, info, rest, state, error));
    }
  }
  return info;
}

async function openExisting(
  client: S3Client,
  key: ObjectKey,
  options: ReadOptions,
  state: RetryState,
): Promise<Opened> {
  try {
    return await openObject(client, key, options, state);
  } catch (error) {
    if (failureOf(error)?.status !== 416) throw error;
    throw new FsError("ESTALE", `Cannot GET "${key}": it ends before byte ${options.range.start}`);
  }
}

function tooShort(key: ObjectKey, end: number, size: number): FsError {
  return new FsError("ESTALE", `Cannot GET "${key}": it ends at ${size}, not ${end} or after`);
}
