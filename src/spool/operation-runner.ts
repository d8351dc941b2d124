// One attempt at one operation, as S3 requests.
import { Errno, errnoOf, FsError } from "../posix/errno.ts";
import type { ObjectKey, ObjectStore, UploadSource } from "../s3/object-store.ts";
import type { CopyRecord, DeleteRecord, DescribeRecord, PutRecord } from "../state/queue-record.ts";
import { describedWith, isDescribedBy } from "./object-description.ts";
import type { Operation } from "./operation.ts";
import { abortUpload, type UploadSizes, uploadObject } from "./object-upload.ts";
import type { StagedFiles } from "./staged-files.ts";

/** Reads the first `size` bytes of an open file; `path` is the same file. */
export type UploadSourceFactory = (fd: number, path: string, size: number) => UploadSource;

/** What became of an attempt that did not fail. */
export type Outcome =
  /** `crc32`: of the object, where it is known. */
  | { readonly kind: "uploaded"; readonly etag: string; readonly crc32?: number }
  /** `seenMs`: when S3 said that the source is the version that was renamed, by performance.now(). */
  | { readonly kind: "copied"; readonly etag: string; readonly seenMs?: number }
  | { readonly kind: "deleted" }
  /** Another version than the one that was renamed is at the key of a delete: somebody else's, and left. */
  | { readonly kind: "notOurs" }
  /** Without an ETag: the object is not the one that was meant any more. */
  | { readonly kind: "described"; readonly etag: string | undefined }
  /** The source of a copy is not what was renamed any more: no retry can help. */
  | { readonly kind: "copyFailed"; readonly reason: Error }
  /** The staged bytes are not what was promised: nothing may be published. */
  | { readonly kind: "unpublishable"; readonly reason: string };

/** A delete that comes so soon after S3 named the version needs no look at it: a look and a delete are as far apart. */
const FRESH_MS = 1000;

export interface RunnerOptions {
  readonly store: ObjectStore;
  readonly files: StagedFiles;
  readonly source: UploadSourceFactory;
  readonly sizes: UploadSizes;
  readonly contentType?: (key: string) => string | undefined;
}

/** By which s3fs and others know a directory. */
const DIRECTORY_TYPE = "application/x-directory";

/** How the requests of one attempt are made. */
export interface RunnerCall {
  readonly signal: AbortSignal;
  /** Whether a 403 is waited for, because someone waits for this attempt; the queue tries again by itself. */
  readonly retryForbidden: boolean;
  /** Undefined: the store's. */
  readonly deadlineMs?: number;
}

export class OperationRunner {
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Rejects with what may be better another time. `recordUploadId` rewrites the durable record. */
  async run(
    { record, seenMs }: Pick<Operation, "record" | "seenMs">,
    call: RunnerCall,
    recordUploadId: (uploadId: string) => Promise<void>,
  ): Promise<Outcome> {
    if (record.kind === "put") return this.#put(record, call, recordUploadId);
    if (record.kind === "copy") return this.#copy(record, call);
    if (record.kind === "describe") return this.#describe(record, call);
    return this.#delete(record, seenMs, call);
  }

  /** Aborts what an earlier run left at the provider; never rejects. */
  async abandon(record: Operation["record"]): Promise<void> {
    if (record.kind !== "put" || record.uploadId === undefined) return;
    await abortUpload(this.#options.store, record.key as ObjectKey, record.uploadId);
  }

  async #put(
    record: PutRecord,
    call: RunnerCall,
    recordUploadId: (uploadId: string) => Promise<void>,
  ): Promise<Outcome> {
    const { store, files, source, sizes, contentType } = this.#options;
    const { key, staged: id, size, metadata } = record;
    await this.abandon(record);
    const staged = await files.open(id).catch(async (error: unknown) => {
      if ((await files.sizeOf(id)) !== undefined) throw error;
    });
    if (staged === undefined) return { kind: "unpublishable", reason: "staged file is gone" };
    try {
      const found = staged.stat().size;
      if (found < size) {
        const reason = `staged file has ${found} of ${size} bytes`;
        const path = await files.quarantine(id, { reason, key, size });
        return { kind: "unpublishable", reason: `${reason}, kept as ${path}` };
      }
      const type = contentType?.(key) ?? (key.endsWith("/") ? DIRECTORY_TYPE : undefined);
      const bytes = source(staged.fd, files.path(id), size);
      const { etag } = await uploadObject({
        store,
        key: key as ObjectKey,
        source: bytes,
        sizes,
        options: {
          ...call,
          ...(metadata === undefined ? {} : { metadata }),
          ...(type === undefined ? {} : { contentType: type }),
        },
        recordUploadId,
      });
      const crc32 = bytes.crc32?.();
      bytes.release?.();
      return { kind: "uploaded", etag, ...(crc32 === undefined ? {} : { crc32 }) };
    } finally {
      staged.release();
    }
  }

  async #delete(
    { key, etag }: DeleteRecord,
    seenMs: number | undefined,
    call: RunnerCall,
  ): Promise<Outcome> {
    const { store } = this.#options;
    const { signal } = call;
    const isOther = async (): Promise<boolean> => {
      const found = await store.headObject(key as ObjectKey, { signal });
      return found !== undefined && found.etag !== etag;
    };
    const isFresh = seenMs !== undefined && performance.now() - seenMs < FRESH_MS;
    if (etag !== undefined && !isFresh && (await isOther())) return { kind: "notOurs" };
    try {
      const ifMatch = etag === undefined ? {} : { ifMatch: etag };
      await store.deleteObject(key as ObjectKey, { ...call, ...ifMatch });
      return { kind: "deleted" };
    } catch (error) {
      // an attempt whose answer was lost may have done it
      if (errnoOf(error) !== Errno.ESTALE) throw error;
      return { kind: (await isOther()) ? "notOurs" : "deleted" };
    }
  }

  async #copy(record: CopyRecord, call: RunnerCall): Promise<Outcome> {
    const { signal } = call;
    const { store } = this.#options;
    const { from, to, etag, size, metadata } = record;
    try {
      const source = metadata && (await store.headObject(from as ObjectKey, { signal }));
      const copy = await store.copyObject(from as ObjectKey, to as ObjectKey, {
        ...call,
        size,
        // "" where a store lists none
        ...(etag === "" ? {} : { ifMatch: etag }),
        ...(source ? { replace: describedWith(source, metadata) } : {}),
      });
      return { kind: "copied", etag: copy.etag, seenMs: performance.now() };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== Errno.ENOENT && errno !== Errno.ESTALE) throw error;
      // an attempt whose answer was lost may have done it
      const target = await store.headObject(to as ObjectKey, { signal });
      if (target !== undefined && target.size === size && target.etag === etag) {
        return { kind: "copied", etag };
      }
      const change = await this.#changeOf(record, signal);
      if (change === undefined) throw error;
      return { kind: "copyFailed", reason: new FsError("ESTALE", change, { cause: error }) };
    }
  }

  async #describe(record: DescribeRecord, call: RunnerCall): Promise<Outcome> {
    const { signal } = call;
    const { store } = this.#options;
    const { key, etag, size, metadata } = record;
    const found = await store.headObject(key as ObjectKey, { signal });
    // an attempt whose answer was lost; the copy may have another ETag
    if (found?.size === size && isDescribedBy(found, metadata)) {
      return { kind: "described", etag: found.etag };
    }
    const isMeant = found !== undefined && (etag === "" || found.etag === etag);
    if (found !== undefined && isMeant) {
      const replace = describedWith(found, metadata);
      const options = { ...call, size: found.size, ifMatch: found.etag, replace };
      try {
        const copy = await store.copyObject(key as ObjectKey, key as ObjectKey, options);
        return { kind: "described", etag: copy.etag };
      } catch (error) {
        // replaced in between: the next attempt's HEAD says so
        if (errnoOf(error) !== Errno.ESTALE && errnoOf(error) !== Errno.ENOENT) throw error;
        throw new FsError("EAGAIN", `Cannot describe "${key}": it changed`, { cause: error });
      }
    }
    if (found === undefined && !(await this.#isGone(key, signal))) {
      throw new FsError("EIO", `Cannot describe "${key}": HEAD does not find what LIST shows`);
    }
    return { kind: "described", etag: undefined };
  }

  /** Whether a listing lacks the key too: a bare 404 is not proof. */
  async #isGone(key: string, signal: AbortSignal): Promise<boolean> {
    const page = await this.#options.store.listObjects({ prefix: key, signal });
    return !page.objects.some((object) => object.key === key);
  }

  /** What happened to the source of a copy; undefined when it is still there or nobody can tell for sure. */
  async #changeOf(
    { from, etag, size }: CopyRecord,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { store } = this.#options;
    const source = await store.headObject(from as ObjectKey, { signal });
    if (source !== undefined) {
      const isSame = source.etag === etag && source.size === size;
      return isSame ? undefined : `"${from}" was replaced before it was renamed in the bucket`;
    }
    const isGone = await this.#isGone(from, signal);
    return isGone ? `"${from}" was removed before it was renamed in the bucket` : undefined;
  }
}
