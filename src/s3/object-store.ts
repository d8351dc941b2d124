// The seam between pailfs and S3: verbs on keys. Everything above works with this interface only.

declare const keyBrand: unique symbol;

/** An S3 object key: the mount's prefix + relative path; never starts with the mount's "/". */
export type ObjectKey = string & { readonly [keyBrand]: true };

/** What HEAD, GET and LIST tell of one object. */
export interface ObjectInfo {
  readonly key: ObjectKey;
  /** Bytes. */
  readonly size: number;
  /** Without quotes; opaque: compare only with ETags of the same key; "" where a store lists none. */
  readonly etag: string;
  /** Milliseconds since the epoch (whole seconds on most stores). */
  readonly lastModified: number;
  readonly storageClass?: string;
  /** x-amz-meta-*, names in lower case; absent from listings. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** Cache-Control, Content-Disposition, Content-Encoding, Content-Language and Expires, names in lower case; absent from listings. */
  readonly httpHeaders?: Readonly<Record<string, string>>;
}

/** What describes an object beside its bytes. */
export type ObjectDescription = Pick<
  ObjectInfo,
  "metadata" | "contentType" | "httpHeaders" | "storageClass"
>;

/** Bytes [start, end). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds within which retries happen; for bodies: without progress. Default: the store's `deadlineMs`. */
  readonly deadlineMs?: number;
  /** Nobody waits for it: it queues behind those that someone waits for. Default: uploads and copies. */
  readonly background?: boolean;
  /** False: 401, 403 and 404 are told at once, for callers that try again by themselves (default true: they may pass). */
  readonly retryForbidden?: boolean;
}

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange;
  /** Rejects with ESTALE when the object's ETag is another one (also checked on the answer, some stores ignore If-Match). */
  readonly ifMatch?: string;
}

/** A GET answer; exactly `range.end - range.start` bytes come out of `body`, or it rejects with an FsError. */
export interface ObjectBody {
  readonly info: ObjectInfo;
  /** The range that is delivered: the asked one cut to the object's size. */
  readonly range: ByteRange;
  /** Chunks as they arrive, owned by the consumer. A torn body is resumed inside (same ETag) until the deadline. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** A GET of an exact range into memory of the caller. */
export interface ReadOptions extends GetOptions {
  readonly range: ByteRange;
  /** Holds the whole range; written to until the call settles. */
  readonly into: Uint8Array;
  /** Called as bytes arrive, with how many of the range are there, from its start on. */
  readonly onBytes?: (count: number) => void;
}

/** Bytes to upload, readable more than once (a retry starts again). */
export interface UploadSource {
  /** Bytes. */
  readonly size: number;
  /** A fresh pass over bytes [start, end); a chunk is lent until the next but one is asked for. */
  read(range: ByteRange): AsyncIterable<Uint8Array>;
  /** MD5 of [start, end), 16 bytes, computed off the main thread. */
  md5(range: ByteRange): Promise<Uint8Array>;
  /** CRC-32 of all bytes, where it costs no pass of its own. */
  crc32?(): number | undefined;
  /** All bytes are where they were to go, and no pass goes on: memory that was lent may be used again. */
  release?(): void;
}

export interface PutOptions extends CallOptions {
  readonly contentType?: string;
  /** As in ObjectInfo. */
  readonly httpHeaders?: Readonly<Record<string, string>>;
  /** Printable ASCII only (encode the rest above), else EINVAL. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** `If-None-Match: *`: rejects with EEXIST when the key exists, on stores with `conditionalPut`. */
  readonly ifNoneMatch?: boolean;
  /** `If-Match`: rejects with ESTALE when the object's ETag is another one, on stores with `conditionalPut`. */
  readonly ifMatch?: string;
}

export interface DeleteOptions extends CallOptions {
  /** Rejects with ESTALE when the object's ETag is another one, on stores with `conditionalDelete`; elsewhere it says nothing. */
  readonly ifMatch?: string;
}

export interface CopyOptions extends CallOptions {
  /**
   * Rejects with ESTALE when the source's ETag is another one. On stores that ignore the condition the copy may have
   * been made by then: it holds the newer bytes.
   */
  readonly ifMatch?: string;
  /** Size of the source in bytes: above 5 GB the copy goes by parts. */
  readonly size: number;
  /**
   * The copy has these instead of the source's (`storageClass` where the store's configuration names none); needed
   * where `from` is `to`, for S3 refuses a copy that changes nothing.
   */
  readonly replace?: ObjectDescription;
}

export interface ListOptions extends CallOptions {
  readonly prefix: string;
  readonly delimiter?: "/";
  /** At most 1000, the default. */
  readonly maxKeys?: number;
  /** Only keys behind this one, in the store's order; for stores that sort by bytes. */
  readonly startAfter?: string;
  readonly continuationToken?: string;
  /** Waited for before a page is parsed, which holds the thread for some 3 ms; when it rejects so does the call. */
  readonly turn?: () => Promise<void>;
}

/** One page; order is the store's (not always bytewise). */
export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** With a delimiter: each ends in "/". May repeat over pages on some stores. */
  readonly commonPrefixes: readonly string[];
  readonly nextToken?: string;
}

export interface UploadedPart {
  readonly partNumber: number;
  readonly etag: string;
  /** Bytes of the object whose ETag was not their MD5 (32 hex): they are read back once they are the object's. */
  readonly doubted?: { readonly range: ByteRange; readonly md5: string };
}

/**
 * S3 verbs on keys of one bucket. Calls may run side by side. Each retries inside until its deadline, then rejects with
 * an FsError of the errno in s3-error.ts; an abort rejects with EINTR. Absent is a value only where said.
 */
export interface ObjectStore {
  /** What this provider can do (probed or known); read-only facts for the layers above. */
  readonly features: StoreFeatures;

  /** Resolves to undefined on 404. A bare 404 is not proof of absence: confirm with a listing. */
  headObject(key: ObjectKey, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** Resolves once the headers are there; rejects with ENOENT on NoSuchKey only. */
  getObject(key: ObjectKey, options?: GetOptions): Promise<ObjectBody>;
  /** Resolves when the whole range is in memory; ESTALE when the object ends before it. A torn body is resumed as with getObject(). */
  readObject(key: ObjectKey, options: ReadOptions): Promise<ObjectInfo>;
  listObjects(options: ListOptions): Promise<ListPage>;
  /** One PUT; resolves to the new ETag. Up to 5 GiB. */
  putObject(key: ObjectKey, source: UploadSource, options?: PutOptions): Promise<{ etag: string }>;
  /** Resolves also when the key was absent. */
  deleteObject(key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /**
   * CopyObject (UploadPartCopy above 5 GB, GET+PUT where the store lacks it); resolves to the copy's ETag. A store may
   * be silent for minutes over large objects: give a deadline to match.
   */
  copyObject(from: ObjectKey, to: ObjectKey, options: CopyOptions): Promise<{ etag: string }>;

  createMultipartUpload(key: ObjectKey, options?: PutOptions): Promise<{ uploadId: string }>;
  /** Rejects with ESTALE when the upload is gone: start anew. */
  uploadPart(
    key: ObjectKey,
    uploadId: string,
    partNumber: number,
    source: UploadSource,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<UploadedPart>;
  /** Rejects with ESTALE when the upload is gone and the object is not what it would have made. */
  completeMultipartUpload(
    key: ObjectKey,
    uploadId: string,
    parts: readonly UploadedPart[],
    options?: PutOptions,
  ): Promise<{ etag: string }>;
  /** Resolves also when the upload is gone. */
  abortMultipartUpload(key: ObjectKey, uploadId: string, options?: CallOptions): Promise<void>;

  /** One LIST at start (below `prefix`): rejects with what is wrong (bucket, keys, region, network) in one line. */
  checkBucket(options?: CallOptions & { readonly prefix?: string }): Promise<void>;

  /** The store's clock as of its latest answer, in seconds since the epoch; undefined where no answer told. */
  readonly storeTime?: number | undefined;

  /** Requests sent so far by verb, retries included. */
  readonly requests: Readonly<Record<S3Verb, number>>;

  /** Ends idle connections; calls under way reject with EINTR. */
  close(): Promise<void>;
}

export type S3Verb =
  | "GET"
  | "HEAD"
  | "PUT"
  | "DELETE"
  | "LIST"
  | "COPY"
  | "CREATE_MULTIPART"
  | "UPLOAD_PART"
  | "COPY_PART"
  | "COMPLETE_MULTIPART"
  | "ABORT_MULTIPART";

export interface StoreFeatures {
  /** Whether If-None-Match / If-Match on PUT are done atomically (reference list of providers, never guessed). */
  readonly conditionalPut: boolean;
}
