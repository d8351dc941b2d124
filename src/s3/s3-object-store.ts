// S3ObjectStore: the verbs of ObjectStore over one signed transport and one retry policy.
import { checkBucket } from "./check-bucket.ts";
import type { Clock } from "./clock.ts";
import { copyObject } from "./copy-object.ts";
import { getObject } from "./get-object.ts";
import { parseListPage } from "./listing.ts";
import {
  abortMultipartUpload,
  completeMultipartUpload,
  createMultipartUpload,
} from "./multipart.ts";
import type {
  ByteRange,
  CallOptions,
  CopyOptions,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ListPage,
  ObjectBody,
  ObjectInfo,
  ObjectKey,
  ObjectStore,
  PutOptions,
  ReadOptions,
  S3Verb,
  StoreFeatures,
  UploadSource,
  UploadedPart,
} from "./object-store.ts";
import { type ProviderProfile, detectProvider, providerNamed } from "./providers.ts";
import { readObject } from "./read-object.ts";
import { putObject, uploadPart } from "./put-object.ts";
import type { S3Config } from "./s3-call.ts";
import { S3Client } from "./s3-client.ts";

const maxKeysPerPage = 1000;

/** Attempts by verb and HTTP status (or the code of what broke them), and bytes of bodies. */
export interface S3Exchanged {
  readonly answers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** Contract: ObjectStore. Makes no request before the first call. */
export class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client;

  constructor(config: S3Config, clock?: Clock) {
    this.#client = new S3Client(config, clock);
  }

  /** What is known of the provider; detected from the endpoint, later from answers, unless it was configured. */
  get provider(): ProviderProfile {
    const { config, endpoint, serverHeader } = this.#client;
    const named = config.provider === undefined ? undefined : providerNamed(config.provider);
    const { hostname } = new URL(endpoint.origin);
    return named ?? detectProvider(hostname, serverHeader);
  }

  get features(): StoreFeatures {
    return { conditionalPut: this.provider.conditionalPut };
  }

  get storeTime(): number | undefined {
    const { serverDate } = this.#client;
    return serverDate === undefined ? undefined : Math.floor(serverDate / 1000);
  }

  /** Since when no attempt got an answer of use, in ms since the epoch; undefined while S3 answers. */
  get failingSinceMs(): number | undefined {
    return this.#client.failingSinceMs;
  }

  get requests(): Readonly<Record<S3Verb, number>> {
    return this.#client.requests;
  }

  /** What attempts came to, and the bytes they moved, since the start. */
  get exchanged(): S3Exchanged {
    const { answers, sentBytes, receivedBytes } = this.#client;
    return { answers, sentBytes, receivedBytes };
  }

  async headObject(key: ObjectKey, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#client.head(key, options);
  }

  async getObject(key: ObjectKey, options?: GetOptions): Promise<ObjectBody> {
    return getObject(this.#client, key, options);
  }

  async readObject(key: ObjectKey, options: ReadOptions): Promise<ObjectInfo> {
    return readObject(this.#client, key, options);
  }

  async listObjects(options: ListOptions): Promise<ListPage> {
    const { prefix, delimiter, maxKeys, startAfter, continuationToken: token, turn } = options;
    const query = {
      "list-type": "2",
      "encoding-type": "url",
      "max-keys": String(Math.min(maxKeys ?? maxKeysPerPage, maxKeysPerPage)),
      prefix,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(startAfter === undefined ? {} : { "start-after": startAfter }),
      ...(token === undefined ? {} : { "continuation-token": token }),
    };
    const call = { verb: "LIST", method: "GET", query, options } as const;
    return this.#client.ask(call, async ({ text }) => {
      if (turn) await turn();
      return parseListPage(text, token);
    });
  }

  async putObject(
    key: ObjectKey,
    source: UploadSource,
    options?: PutOptions,
  ): Promise<{ etag: string }> {
    return putObject(this.#client, key, source, options, this.features.conditionalPut);
  }

  async deleteObject(key: ObjectKey, options?: DeleteOptions): Promise<void> {
    const isSent = options?.ifMatch !== undefined && this.provider.conditionalDelete === true;
    await this.#client.deleteObject(
      key,
      options,
      isSent ? { "if-match": `"${options.ifMatch}"` } : {},
    );
  }

  async copyObject(
    from: ObjectKey,
    to: ObjectKey,
    options: CopyOptions,
  ): Promise<{ etag: string }> {
    return copyObject(this.#client, from, to, options);
  }

  async createMultipartUpload(key: ObjectKey, options?: PutOptions): Promise<{ uploadId: string }> {
    return createMultipartUpload(this.#client, key, options);
  }

  async uploadPart(
    key: ObjectKey,
    uploadId: string,
    partNumber: number,
    source: UploadSource,
    range: ByteRange,
    options?: CallOptions,
  ): Promise<UploadedPart> {
    return uploadPart(this.#client, key, uploadId, partNumber, { source, range }, options);
  }

  async completeMultipartUpload(
    key: ObjectKey,
    uploadId: string,
    parts: readonly UploadedPart[],
    options?: PutOptions,
  ): Promise<{ etag: string }> {
    const { conditionalPut } = this.features;
    return completeMultipartUpload(this.#client, key, uploadId, parts, options, conditionalPut);
  }

  async abortMultipartUpload(
    key: ObjectKey,
    uploadId: string,
    options?: CallOptions,
  ): Promise<void> {
    await abortMultipartUpload(this.#client, key, uploadId, options);
  }

  async checkBucket(options?: CallOptions & { readonly prefix?: string }): Promise<void> {
    await checkBucket(this.#client, options);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
