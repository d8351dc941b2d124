// One S3 request as the verbs describe it.
import type { BodySink } from "./incoming-body.ts";
import type { ByteRange, CallOptions, ObjectKey, S3Verb, UploadSource } from "./object-store.ts";
import type { CredentialProvider } from "./signing.ts";

/** What makes a store; everything but the bucket and the credentials has a default. */
export interface S3Config {
  readonly bucket: string;
  /** URL or host[:port]; absent: AWS. */
  readonly endpoint?: string | undefined;
  /** Default: from the host name, else us-east-1; corrected when an answer names another. */
  readonly region?: string | undefined;
  /** Default: virtual hosts on AWS (unless the bucket's name has dots), path style elsewhere. */
  readonly pathStyle?: boolean | undefined;
  readonly credentials: CredentialProvider;
  /** A name of providers.ts; default: detected. */
  readonly provider?: string | undefined;
  /** Default of `CallOptions.deadlineMs`; 30 s. */
  readonly deadlineMs?: number | undefined;
  /** Requests in flight; 16. */
  readonly concurrency?: number | undefined;
  readonly storageClass?: string | undefined;
  /** Smaller objects, in bytes, get no storage class; 0. */
  readonly storageClassMinBytes?: number | undefined;
  readonly acl?: string | undefined;
  readonly encryption?: Encryption | undefined;
  /** Offer to pay for requests and traffic in the owner's place. */
  readonly requesterPays?: boolean | undefined;
  /** Sign the SHA-256 of each upload too, at the price of another pass over its bytes. */
  readonly signedPayload?: boolean | undefined;
  /** PEM certificates to trust in place of the usual ones. */
  readonly ca?: string | undefined;
}

/** Server-side encryption asked for. */
export type Encryption =
  | { readonly kind: "AES256" }
  | { readonly kind: "aws:kms"; readonly keyId?: string | undefined }
  /** SSE-C; the key as base64 of 32 bytes. */
  | { readonly kind: "customer"; readonly key: string };

export interface S3Call {
  readonly verb: S3Verb;
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly key?: ObjectKey | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The object that is read, or that is the source of a copy: where SSE-C is in use, its key goes along if it has one. */
  readonly sealed?: ObjectKey | undefined;
  /** A short body. */
  readonly text?: string | undefined;
  readonly upload?: { readonly source: UploadSource; readonly range: ByteRange } | undefined;
  readonly options?: CallOptions | undefined;
  /** The server may work long before it answers: half the deadline, not a third, is given to one attempt. */
  readonly patient?: boolean | undefined;
  /** False: 401, 403 and 404 stand at once (default true). */
  readonly retryForbidden?: boolean | undefined;
}

/** A whole answer of 2xx. */
export interface S3Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** An answer of 2xx whose body is still coming; `release` must be called once. */
export interface S3Stream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The next chunk, or undefined at the end; rejects on a break, an abort or a silence. */
  next(): Promise<Uint8Array | undefined>;
  /** In place of next(): resolves at the end or when the sink has enough; rejects as next(). */
  pour(sink: BodySink): Promise<void>;
  /** Gives up what is left of the body. `complete`: all that was wanted has come, the connection stays. */
  release(complete: boolean): void;
}
