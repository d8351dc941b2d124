// Server-side encryption as far as a client can see it: keys of customers (SSE-C) are checked strictly, and ETags of what
// is encrypted with anything but S3's own keys are no MD5s. Bytes are kept as they came.
import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { S3Refusal } from "./answer.ts";
import type { Quirks } from "./quirks.ts";
import { header } from "./verbs.ts";

/** What an upload asks for. */
export interface Encryption {
  /** Base64 of the MD5 of the customer's key. */
  readonly customerKeyMd5?: string | undefined;
  /** The value of x-amz-server-side-encryption. */
  readonly kind?: string | undefined;
}

const named = "server-side-encryption-customer";

/** The MD5 of the customer key that a request brings, base64; throws 400 when its headers do not fit each other. */
export function customerKeyOf(
  http: IncomingMessage,
  quirks: Quirks,
  prefix: "" | "copy-source-" = "",
): string | undefined {
  if (quirks.ignoreCustomerKeys === true) return undefined;
  const [algorithm, key, md5] = ["algorithm", "key", "key-md5"].map((part) =>
    header(http, `x-amz-${prefix}${named}-${part}`),
  );
  if (algorithm === undefined && key === undefined && md5 === undefined) return undefined;
  if (algorithm !== "AES256") throw new S3Refusal(400, "InvalidEncryptionAlgorithmError");
  const bytes = Buffer.from(key ?? "", "base64");
  const actual = createHash("md5").update(bytes).digest("base64");
  if (bytes.length !== 32 || actual !== md5) throw new S3Refusal(400, "InvalidArgument");
  return md5;
}

/** Throws what S3 answers unless the request brings the key of what it reads, and none where there is none. */
export function checkCustomerKey(wanted: string | undefined, given: string | undefined): void {
  if (wanted === given) return;
  if (wanted === undefined) {
    const text = "The encryption parameters are not applicable to this object.";
    throw new S3Refusal(400, "InvalidRequest", text);
  }
  if (given !== undefined) throw new S3Refusal(403, "AccessDenied", "Access Denied");
  const text =
    "The object was stored using a form of Server Side Encryption. " +
    "The correct parameters must be provided to retrieve the object.";
  throw new S3Refusal(400, "InvalidRequest", text);
}

/** What a new object is encrypted with. */
export function encryptionOf(http: IncomingMessage, quirks: Quirks): Encryption {
  const customerKeyMd5 = customerKeyOf(http, quirks);
  const asked = header(http, "x-amz-server-side-encryption");
  if (customerKeyMd5 !== undefined) {
    if (asked !== undefined) throw new S3Refusal(400, "InvalidArgument");
    return { customerKeyMd5 };
  }
  const kind = asked ?? quirks.bucketEncryption;
  return kind === undefined ? {} : { kind };
}

/** What answers say of the encryption of an object. */
export function encryptionHeaders({ customerKeyMd5, kind }: Encryption): Record<string, string> {
  return {
    ...(kind === undefined ? {} : { "x-amz-server-side-encryption": kind }),
    ...(customerKeyMd5 === undefined
      ? {}
      : { [`x-amz-${named}-algorithm`]: "AES256", [`x-amz-${named}-key-md5`]: customerKeyMd5 }),
  };
}

/** The ETag of bytes with this MD5 (hex): itself, or 32 other hex digits. */
export function etagOfMd5(md5: string, { customerKeyMd5, kind }: Encryption): string {
  const isMd5 = customerKeyMd5 === undefined && (kind === undefined || kind === "AES256");
  return isMd5 ? md5 : randomBytes(16).toString("hex");
}
