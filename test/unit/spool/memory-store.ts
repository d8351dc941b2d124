// An ObjectStore in memory that fails, waits and counts as it is told.
import { createHash } from "node:crypto";
import { FsError } from "../../../src/posix/errno.ts";
import type {
  CallOptions,
  CopyOptions,
  ListOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectKey,
  ObjectStore,
  PutOptions,
  S3Verb,
  UploadSource,
} from "../../../src/s3/object-store.ts";

export interface MemoryObject {
  readonly data: Buffer;
  readonly etag: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const verbs = [
  "GET HEAD PUT DELETE LIST COPY CREATE_MULTIPART UPLOAD_PART COPY_PART COMPLETE_MULTIPART ABORT_MULTIPART",
].flatMap((line) => line.split(" ") as S3Verb[]);

export class MemoryStore implements ObjectStore {
  readonly features = { conditionalPut: true };
  readonly objects = new Map<string, MemoryObject>();
  readonly uploads = new Map<string, Map<number, Buffer>>();
  readonly partSizes: number[] = [];
  readonly log: string[] = [];
  readonly requests = Object.fromEntries(verbs.map((verb) => [verb, 0])) as Record<S3Verb, number>;
  /** Called before a request does anything; rejects to make it fail. */
  before: (verb: S3Verb, key: string, options?: CallOptions) => Promise<void> | void = () =>
    undefined;
  /** Called when it is done, before the answer. */
  after: (verb: S3Verb, key: string) => Promise<void> | void = () => undefined;
  /** Whether a copy has another etag than its source, as of multipart objects. */
  freshCopyEtags = false;
  running = 0;
  mostRunning = 0;
  #counter = 0;

  set(key: string, text: string): MemoryObject {
    const object = { data: Buffer.from(text), etag: md5(Buffer.from(text)) };
    this.objects.set(key, object);
    return object;
  }

  contents(): Record<string, string> {
    const entries = [...this.objects].map(([key, { data }]) => [key, data.toString()] as const);
    return Object.fromEntries(entries);
  }

  async headObject(key: ObjectKey, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#call("HEAD", key, options, () => {
      const object = this.objects.get(key);
      if (!object) return undefined;
      const { data, etag, metadata = {} } = object;
      return { key, size: data.length, etag, metadata, lastModified: 0 };
    });
  }

  getObject(): Promise<ObjectBody> {
    return Promise.reject(new Error("not used"));
  }

  readObject(): Promise<ObjectInfo> {
    return Promise.reject(new Error("not used"));
  }

  async listObjects(options: ListOptions): Promise<ListPage> {
    return this.#call("LIST", options.prefix, options, () => ({
      objects: [...this.objects]
        .filter(([key]) => key.startsWith(options.prefix))
        .map(([key, { data, etag }]) => ({
          key: key as ObjectKey,
          size: data.length,
          etag,
          lastModified: 0,
        })),
      commonPrefixes: [],
    }));
  }

  async putObject(
    key: ObjectKey,
    source: UploadSource,
    options?: PutOptions,
  ): Promise<{ etag: string }> {
    return this.#call("PUT", key, options, async () => {
      const data = await bytesOf(source, { start: 0, end: source.size });
      const etag = md5(data);
      const metadata = options?.metadata;
      this.objects.set(key, { data, etag, ...(metadata === undefined ? {} : { metadata }) });
      return { etag };
    });
  }

  async deleteObject(key: ObjectKey, options?: CallOptions): Promise<void> {
    await this.#call("DELETE", key, options, () => void this.objects.delete(key));
  }

  async copyObject(
    from: ObjectKey,
    to: ObjectKey,
    options: CopyOptions,
  ): Promise<{ etag: string }> {
    return this.#call("COPY", to, options, () => {
      const object = this.objects.get(from);
      if (object === undefined) throw new FsError("ENOENT", "no such key");
      if (options.ifMatch !== undefined && options.ifMatch !== object.etag) {
        throw new FsError("ESTALE", "etag is another one");
      }
      const etag = this.freshCopyEtags ? `copy-${this.#counter++}` : object.etag;
      const metadata = options.replace?.metadata;
      this.objects.set(to, { ...object, etag, ...(metadata === undefined ? {} : { metadata }) });
      return { etag };
    });
  }

  async createMultipartUpload(key: ObjectKey, options?: PutOptions): Promise<{ uploadId: string }> {
    return this.#call("CREATE_MULTIPART", key, options, () => {
      const uploadId = `upload-${this.#counter++}`;
      this.uploads.set(uploadId, new Map());
      return { uploadId };
    });
  }

  async uploadPart(
    key: ObjectKey,
    uploadId: string,
    partNumber: number,
    source: UploadSource,
    range: { start: number; end: number },
    options?: CallOptions,
  ): Promise<{ partNumber: number; etag: string }> {
    return this.#call("UPLOAD_PART", key, options, async () => {
      const data = await bytesOf(source, range);
      this.partSizes.push(data.length);
      this.uploads.get(uploadId)?.set(partNumber, data);
      return { partNumber, etag: md5(data) };
    });
  }

  async completeMultipartUpload(
    key: ObjectKey,
    uploadId: string,
    parts: readonly { partNumber: number; etag: string }[],
    options?: PutOptions,
  ): Promise<{ etag: string }> {
    return this.#call("COMPLETE_MULTIPART", key, options, () => {
      const found = this.uploads.get(uploadId);
      if (found === undefined) throw new FsError("ESTALE", "no such upload");
      const data = Buffer.concat(
        parts.map(({ partNumber }) => found.get(partNumber) ?? Buffer.alloc(0)),
      );
      const etag = `${md5(data)}-${parts.length}`;
      this.objects.set(key, { data, etag });
      this.uploads.delete(uploadId);
      return { etag };
    });
  }

  async abortMultipartUpload(
    key: ObjectKey,
    uploadId: string,
    options?: CallOptions,
  ): Promise<void> {
    await this.#call("ABORT_MULTIPART", key, options, () => void this.uploads.delete(uploadId));
  }

  checkBucket(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #call<Result>(
    verb: S3Verb,
    key: string,
    options: CallOptions | undefined,
    action: () => Result | Promise<Result>,
  ): Promise<Result> {
    this.requests[verb] += 1;
    this.log.push(`${verb} ${key}`);
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      await abortable(Promise.resolve(this.before(verb, key, options)), options?.signal);
      const result = await action();
      await abortable(Promise.resolve(this.after(verb, key)), options?.signal);
      return result;
    } finally {
      this.running -= 1;
    }
  }
}

/** An error as the S3 layer makes it; `refused` is what isRefused() says. */
export function s3Error(message: string, refused = false): FsError {
  return Object.assign(new FsError("EIO", message), { refused });
}

export function isRefused(error: unknown): boolean {
  return error instanceof FsError && "refused" in error && error.refused === true;
}

async function abortable(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new FsError("EINTR", "aborted"));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener("abort", onAbort);
  }
}

async function bytesOf(
  source: UploadSource,
  range: { start: number; end: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.read(range)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function md5(data: Buffer): string {
  return createHash("md5").update(data).digest("hex");
}
