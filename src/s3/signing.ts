// AWS Signature Version 4 over headers, with a correctable clock and refreshable credentials.
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/** Resolves to current credentials; with `refresh`, looks at their origin again. Rejects with one line for the user. */
export type CredentialProvider = (options?: { refresh: boolean }) => Promise<Credentials>;

export interface Signable {
  readonly method: string;
  readonly host: string;
  /** Encoded. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Names in lower case; `x-amz-content-sha256` among them. */
  readonly headers: Readonly<Record<string, string>>;
}

export const UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD";
export const EMPTY_SHA256 = createHash("sha256").digest("hex");

type SmithyHash = ConstructorParameters<typeof SignatureV4>[0]["sha256"];

class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", bytes(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytes(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error("Cannot reset a digest");
  }
}

function bytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Signs requests for one region at a time. */
export class RequestSigner {
  readonly #provider: CredentialProvider;
  #region: string;
  #signer: SignatureV4 | undefined;
  #used: Credentials | undefined;
  #clockOffsetMs = 0;

  constructor(provider: CredentialProvider, region: string) {
    this.#provider = provider;
    this.#region = region;
  }

  /** The server's time as far as we know, ms since the epoch. */
  get serverNow(): number {
    return Date.now() + this.#clockOffsetMs;
  }

  /** Believes a server's clock (ms since the epoch) from now on. */
  setServerTime(serverTime: number): void {
    this.#clockOffsetMs = serverTime - Date.now();
  }

  setRegion(region: string): void {
    this.#region = region;
    this.#signer = undefined;
  }

  /** Asks the provider again; resolves to whether the credentials are others than before. */
  async refresh(): Promise<boolean> {
    const before = this.#used;
    const now = await this.#provider({ refresh: true });
    this.#use(now);
    return before === undefined || !sameCredentials(before, now);
  }

  /** The headers to send. */
  async sign(request: Signable): Promise<Record<string, string>> {
    const credentials = await this.#provider();
    if (this.#used === undefined || !sameCredentials(this.#used, credentials)) {
      this.#use(credentials);
    }
    this.#signer ??= this.#newSigner(credentials);
    const signed = await this.#signer.sign(
      {
        method: request.method,
        protocol: "https:",
        hostname: request.host,
        path: request.path,
        query: request.query,
        headers: { ...request.headers, host: request.host },
      },
      { signingDate: new Date(this.serverNow) },
    );
    return signed.headers;
  }

  #use(credentials: Credentials): void {
    this.#used = credentials;
    this.#signer = undefined;
  }

  #newSigner({ accessKeyId, secretAccessKey, sessionToken }: Credentials): SignatureV4 {
    const session = sessionToken === undefined ? {} : { sessionToken };
    return new SignatureV4({
      service: "s3",
      region: this.#region,
      uriEscapePath: false,
      applyChecksum: false,
      sha256: Sha256 as unknown as SmithyHash,
      credentials: { accessKeyId, secretAccessKey, ...session },
    });
  }
}

function sameCredentials(a: Credentials, b: Credentials): boolean {
  return (
    a.accessKeyId === b.accessKeyId &&
    a.secretAccessKey === b.secretAccessKey &&
    a.sessionToken === b.sessionToken
  );
}
