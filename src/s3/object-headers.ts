// Headers of objects: what uploads send, what answers tell, encryption.
import { createHash } from "node:crypto";
import { FsError } from "../posix/errno.ts";
import { unquoteEtag } from "./listing.ts";
import type { ObjectDescription, ObjectInfo, ObjectKey, PutOptions } from "./object-store.ts";
import type { Encryption, S3Config } from "./s3-call.ts";

type Headers = Record<string, string>;

const metadataPrefix = "x-amz-meta-";
const httpHeaderNames = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
] as const;

/** Headers that a new object (PUT, COPY, CREATE_MULTIPART) gets from the store's configuration; `size` in bytes if known. */
export function creationHeaders(config: S3Config, size = Infinity): Headers {
  const headers: Headers = encryptionHeaders(config.encryption);
  const { storageClass, storageClassMinBytes = 0 } = config;
  if (storageClass !== undefined && size >= storageClassMinBytes) {
    headers["x-amz-storage-class"] = storageClass;
  }
  if (config.acl !== undefined) headers["x-amz-acl"] = config.acl;
  return headers;
}

/** Content-Type and metadata; rejects with EINVAL values that a header cannot carry unchanged. */
export function attributeHeaders(
  options: Pick<PutOptions, "contentType" | "metadata" | "httpHeaders"> | undefined,
): Headers {
  const headers: Headers = { ...options?.httpHeaders };
  if (options?.contentType !== undefined) headers["content-type"] = options.contentType;
  for (const [name, value] of Object.entries(options?.metadata ?? {})) {
    // signatures fold blanks, stores garble what is not ASCII
    if (!/^[a-z0-9-_.]+$/.test(name) || !/^([!-~]+( [!-~]+)*)?$/.test(value)) {
      throw new FsError("EINVAL", `Cannot store metadata "${name}": want printable ASCII`);
    }
    headers[metadataPrefix + name] = value;
  }
  return headers;
}

/** The headers of a copy that takes its description from the request and not from its source. */
export function replacementHeaders(config: S3Config, description: ObjectDescription): Headers {
  const { storageClass } = description;
  // a copy without a class would become STANDARD
  const keepsClass = config.storageClass === undefined && storageClass !== undefined;
  return {
    ...attributeHeaders(description),
    ...(keepsClass ? { "x-amz-storage-class": storageClass } : {}),
  };
}

/** If-None-Match and If-Match of a write, on stores that do them atomically; nothing elsewhere. */
export function conditionHeaders(options: PutOptions | undefined, conditional: boolean): Headers {
  if (!conditional) return {};
  if (options?.ifNoneMatch === true) return { "if-none-match": "*" };
  return options?.ifMatch === undefined ? {} : { "if-match": `"${options.ifMatch}"` };
}

function encryptionHeaders(encryption: Encryption | undefined): Headers {
  if (encryption === undefined) return {};
  if (encryption.kind === "customer") return customerKeyHeaders(encryption);
  const headers: Headers = { "x-amz-server-side-encryption": encryption.kind };
  if (encryption.kind === "aws:kms" && encryption.keyId !== undefined) {
    headers["x-amz-server-side-encryption-aws-kms-key-id"] = encryption.keyId;
  }
  return headers;
}

/** The SSE-C headers that each GET, HEAD and part needs; with `prefix` "copy-source-", those of a copy's source. */
export function customerKeyHeaders(encryption: Encryption | undefined, prefix = ""): Headers {
  if (encryption?.kind !== "customer") return {};
  const name = `x-amz-${prefix}server-side-encryption-customer`;
  const md5 = createHash("md5").update(Buffer.from(encryption.key, "base64")).digest("base64");
  return {
    [`${name}-algorithm`]: "AES256",
    [`${name}-key`]: encryption.key,
    [`${name}-key-md5`]: md5,
  };
}

/**
 * Whether the ETag of a single PUT or copy is the MD5 of its bytes, where it has that form; `answer` are the headers of
 * the answer, which tell of the bucket's own encryption too.
 */
export function etagsAreMd5(
  encryption: Encryption | undefined,
  answer: Readonly<Headers>,
): boolean {
  const kind = answer["x-amz-server-side-encryption"] ?? encryption?.kind ?? "AES256";
  return kind === "AES256" && encryption?.kind !== "customer";
}

/** What the headers of HEAD or GET tell; `size` in bytes is the whole object's. */
export function objectInfoOf(key: ObjectKey, headers: Readonly<Headers>, size: number): ObjectInfo {
  const metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(metadataPrefix)) metadata[name.slice(metadataPrefix.length)] = value;
  }
  const httpHeaders: Record<string, string> = {};
  for (const name of httpHeaderNames) {
    const value = headers[name];
    if (value !== undefined) httpHeaders[name] = value;
  }
  const storageClass = headers["x-amz-storage-class"];
  const contentType = headers["content-type"];
  return {
    key,
    size,
    etag: unquoteEtag(headers["etag"]),
    lastModified: Date.parse(headers["last-modified"] ?? "") || 0,
    metadata,
    httpHeaders,
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(contentType === undefined ? {} : { contentType }),
  };
}
