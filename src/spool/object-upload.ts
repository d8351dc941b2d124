// A staged file becomes one object: by one PUT, or by parts.
import type {
  ByteRange,
  ObjectKey,
  ObjectStore,
  PutOptions,
  UploadedPart,
  UploadSource,
} from "../s3/object-store.ts";

export interface UploadSizes {
  /** Bytes above which an object goes by parts. */
  readonly multipartThreshold: number;
  /** Bytes of one part. */
  readonly partSize: number;
  /** Parts of one object under way at a time. */
  readonly partConcurrency: number;
}

/** What one upload needs. */
export interface UploadRequest {
  readonly store: ObjectStore;
  readonly key: ObjectKey;
  readonly source: UploadSource;
  readonly sizes: UploadSizes;
  readonly options: PutOptions & { readonly signal: AbortSignal };
  /** Makes the id of a multipart upload durable, so that a crash leaves no orphan. */
  readonly recordUploadId: (uploadId: string) => Promise<void>;
}

/** S3's limit. */
const MAX_PARTS = 10_000;
const MIB = 2 ** 20;

/** Resolves to the object's ETag; rejects with the store's FsError, and then nothing of ours is left at the provider, if it answers. */
export async function uploadObject(request: UploadRequest): Promise<{ etag: string }> {
  const { store, key, source, sizes, options } = request;
  if (source.size <= sizes.multipartThreshold) return store.putObject(key, source, options);
  const { signal } = options;
  const { uploadId } = await store.createMultipartUpload(key, options);
  try {
    await request.recordUploadId(uploadId);
    const ranges = partRanges(source.size, sizes.partSize);
    const parts = await uploadParts(request, uploadId, ranges);
    return await store.completeMultipartUpload(key, uploadId, parts, options);
  } catch (error) {
    // stop() must not wait for a provider; the recorded id is aborted at the next start
    if (!signal.aborted) await abortUpload(store, key, uploadId);
    throw error;
  }
}

/** Aborts a multipart upload as far as the provider lets us; never rejects. */
export async function abortUpload(
  store: ObjectStore,
  key: ObjectKey,
  uploadId: string,
): Promise<void> {
  // what stays behind costs money but harms no data: a lifecycle rule or the next start removes it
  await store.abortMultipartUpload(key, uploadId).catch(() => undefined);
}

/** Equal parts but for the last (R2 insists), of whole MiB when they must be larger than asked so that 10,000 suffice. */
export function partRanges(size: number, partSize: number): ByteRange[] {
  const least = Math.ceil(size / MAX_PARTS);
  const length = least <= partSize ? partSize : Math.ceil(least / MIB) * MIB;
  const ranges: ByteRange[] = [];
  for (let start = 0; start < size; start += length) {
    ranges.push({ start, end: Math.min(start + length, size) });
  }
  return ranges;
}

async function uploadParts(
  { store, key, source, sizes, options }: UploadRequest,
  uploadId: string,
  ranges: readonly ByteRange[],
): Promise<UploadedPart[]> {
  // one failing part ends the others, which would be in vain
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const parts: UploadedPart[] = [];
  let next = 0;
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < ranges.length && failure === undefined) {
      const index = next++;
      const range = ranges[index];
      if (range === undefined) return;
      try {
        parts[index] = await store.uploadPart(key, uploadId, index + 1, source, range, { signal });
      } catch (error) {
        failure ??= { error };
        failed.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, sizes.partConcurrency) }, worker));
  if (failure !== undefined) throw failure.error;
  return parts;
}
