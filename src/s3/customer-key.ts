// SSE-C: which objects need the customer's key. A bucket may hold both kinds (some were there before the key was), S3
// refuses the headers on an object without a key, and listings do not tell: so it is tried, and remembered.
import { LRUCache } from "lru-cache";
import { log } from "../log.ts";
import { FsError } from "../posix/errno.ts";
import { customerKeyHeaders } from "./object-headers.ts";
import type { Encryption, S3Call } from "./s3-call.ts";
import { toFsError } from "./s3-error.ts";
import { S3Failure } from "./s3-failure.ts";

/** Objects whose kind is remembered; each takes about 200 bytes. */
const REMEMBERED = 20_000;

/** What S3 says of parameters that do not fit the object; other 400s have codes of their own. */
const mismatchCodes: ReadonlySet<string> = new Set(["InvalidRequest", "InvalidArgument"]);

/** What is known of the objects of one bucket, and whether the service does SSE-C at all. */
export class CustomerKey {
  readonly #encryption: Encryption;
  readonly #isSealed = new LRUCache<string, boolean>({ max: REMEMBERED });
  /** The kind of the object that was asked for last: the first guess at another one. */
  #lastWasSealed = true;
  #isIgnored = false;

  constructor(encryption: Encryption) {
    this.#encryption = encryption;
  }

  /** The tries of one call that reads the object `call.sealed`; undefined for other calls. */
  attempt(call: S3Call): SealedAttempt | undefined {
    const key = call.sealed;
    if (key === undefined) return undefined;
    const withKey = this.#isSealed.get(key) ?? this.#lastWasSealed;
    const prefix = call.verb === "COPY" || call.verb === "COPY_PART" ? "copy-source-" : "";
    const headers = customerKeyHeaders(this.#encryption, prefix);
    return new SealedAttempt(headers, withKey, (isSealed) => this.#learn(key, isSealed));
  }

  /** Rejects a call that stores an object where a service is known to store it in clear. */
  refuseInClear(key: string | undefined): void {
    if (this.#isIgnored) throw inClear(key);
  }

  /** Reads the answer to bytes that were sent; throws where the service has not encrypted them. */
  sent(key: string | undefined, headers: Readonly<Record<string, string>>): void {
    if (headers["x-amz-server-side-encryption-customer-algorithm"] === undefined) {
      this.#isIgnored = true;
      log.error(
        'S3 stored "%s" in clear: this service does not encrypt with sse_customer_key',
        key,
      );
      throw inClear(key);
    }
    if (key !== undefined) this.stored(key);
  }

  /** The object has our key from now on. */
  stored(key: string): void {
    this.#isSealed.set(key, true);
  }

  #learn(key: string, isSealed: boolean): void {
    this.#isSealed.set(key, isSealed);
    this.#lastWasSealed = isSealed;
  }
}

/** One call, first as it is most likely right, then the other way. */
export class SealedAttempt {
  readonly #headers: Readonly<Record<string, string>>;
  readonly #learn: (isSealed: boolean) => void;
  #withKey: boolean;
  #saidWithKey: S3Failure[] = [];
  #saidWithout: S3Failure | undefined;

  constructor(
    headers: Readonly<Record<string, string>>,
    withKey: boolean,
    learn: (isSealed: boolean) => void,
  ) {
    this.#headers = headers;
    this.#withKey = withKey;
    this.#learn = learn;
  }

  /** The call as it is sent now. */
  dress(call: S3Call): S3Call {
    return this.#withKey ? { ...call, headers: { ...call.headers, ...this.#headers } } : call;
  }

  /** The last way was right. */
  succeeded(): void {
    this.#learn(this.#withKey);
  }

  /**
   * What a refusal means. "again": send it once more, dressed anew. A failure: the object does not open with our key nor
   * without one, and no waiting mends it. Undefined: it is not about the key.
   */
  refused(failure: S3Failure): "again" | S3Failure | undefined {
    const isMismatch = failure.status === 400 && mismatchCodes.has(failure.code);
    // a wrong key is "access denied", as wrong credentials are: an object that wants a key says so when it gets none
    const isDenied = failure.status === 403 && failure.code === "AccessDenied" && this.#withKey;
    if (!isMismatch && !isDenied) {
      if (failure.status === 403) this.#withKey = true;
      this.#saidWithKey = [];
      this.#saidWithout = undefined;
      return undefined;
    }
    if (this.#withKey) this.#saidWithKey.push(failure);
    else this.#saidWithout = failure;
    const [first, second] = this.#saidWithKey;
    if (first === undefined || this.#saidWithout === undefined) {
      this.#withKey = !this.#withKey;
      return "again";
    }
    if (first.status === 403 && second === undefined) {
      // credentials that are good again in the meantime look the same once, not twice
      this.#withKey = true;
      return "again";
    }
    const message = `it is encrypted with another key than sse_customer_key (${first.message})`;
    return new S3Failure({ status: first.status, code: "EncryptedObject", message, cause: first });
  }
}

/** The failure of a read without any key, where S3 says that the request does not fit the object. */
export function encryptedObject(call: S3Call, failure: S3Failure): S3Failure | undefined {
  const reads = call.verb === "GET" || call.verb === "HEAD";
  if (!reads || failure.status !== 400 || failure.code !== "InvalidRequest") return undefined;
  return new S3Failure({
    status: 400,
    code: "EncryptedObject",
    message: `S3 refuses to read it without sse_customer_key or sse_customer_key_file (${failure.message})`,
    cause: failure,
  });
}

function inClear(key: string | undefined): FsError {
  const message = "this service does not encrypt with sse_customer_key";
  return toFsError(new S3Failure({ code: "NotEncrypted", message }), `Cannot store "${key}"`);
}
