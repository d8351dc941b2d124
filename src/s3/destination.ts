// Where requests go and how they are signed; what an answer tells about region, clock or credentials is put right here.
import { createHash } from "node:crypto";
import { type Endpoint, encodeKey, encodeQuery, resolveEndpoint, withRegion } from "./endpoint.ts";
import type { S3Call, S3Config } from "./s3-call.ts";
import { blamesCredentials } from "./s3-error.ts";
import type { S3Failure } from "./s3-failure.ts";
import { EMPTY_SHA256, RequestSigner, UNSIGNED_PAYLOAD } from "./signing.ts";
import type { UploadBody } from "./upload-body.ts";

const maxCredibleSkewMs = 5 * 60_000;

/** A request as it goes on the wire, but for its body. */
export interface SignedRequest {
  readonly method: string;
  readonly origin: string;
  /** Encoded, with the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One bucket, as far as we know how to reach it. */
export class Destination {
  readonly #config: S3Config;
  readonly #signer: RequestSigner;
  #endpoint: Endpoint;

  constructor(config: S3Config) {
    this.#config = config;
    this.#endpoint = resolveEndpoint(config);
    this.#signer = new RequestSigner(config.credentials, this.#endpoint.region);
  }

  get endpoint(): Endpoint {
    return this.#endpoint;
  }

  /** The server's time as far as we know, in ms since the epoch. */
  get serverNow(): number {
    return this.#signer.serverNow;
  }

  async sign(call: S3Call, upload: UploadBody | undefined): Promise<SignedRequest> {
    const { method } = call;
    const { basePath, host, origin } = this.#endpoint;
    const query = call.query ?? {};
    const key = call.key === undefined ? "" : `/${encodeKey(call.key)}`;
    const path = basePath + key || "/";
    const payer = this.#config.requesterPays === true ? { "x-amz-request-payer": "requester" } : {};
    const headers = { ...call.headers, ...payer, ...(await this.#payloadHeaders(call, upload)) };
    const signed = await this.#signer.sign({ method, host, path, query, headers });
    return { method, origin, path: withQuery(path, query), headers: signed };
  }

  /** Puts right what the failure tells; resolves to whether another attempt has better chances now. */
  async correct(failure: S3Failure): Promise<boolean> {
    return (
      this.#correctRegion(failure) ||
      this.#correctClock(failure) ||
      (blamesCredentials(failure) && (await this.#signer.refresh().catch(() => false)))
    );
  }

  #correctRegion({ status, code, region }: S3Failure): boolean {
    if (region === undefined) return false;
    const certain = status === 301 || status === 307 || code === "AuthorizationHeaderMalformed";
    if (!certain && !(status === 400 && code === "")) return false;
    // another call may have corrected it meanwhile; a HEAD's bare 400 may have other reasons then
    if (region === this.#endpoint.region) return certain;
    this.#endpoint = resolveEndpoint(withRegion(this.#config, region));
    this.#signer.setRegion(region);
    return true;
  }

  #correctClock({ status, serverTime }: S3Failure): boolean {
    if (status !== 403 || serverTime === undefined) return false;
    if (Math.abs(serverTime - this.serverNow) <= maxCredibleSkewMs) return false;
    this.#signer.setServerTime(serverTime);
    return true;
  }

  async #payloadHeaders(
    { method, text }: S3Call,
    upload: UploadBody | undefined,
  ): Promise<Record<string, string>> {
    const name = "x-amz-content-sha256";
    if (upload !== undefined) {
      const isSigned = this.#config.signedPayload === true;
      const digest = isSigned ? await upload.sha256() : UNSIGNED_PAYLOAD;
      return { "content-length": String(upload.size), [name]: digest };
    }
    if (text === undefined && method !== "PUT" && method !== "POST")
      return { [name]: EMPTY_SHA256 };
    const body = text ?? "";
    const digest = createHash("sha256").update(body).digest("hex");
    return { "content-length": String(Buffer.byteLength(body)), [name]: digest };
  }
}

function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([k, v]) => `${encodeQuery(k)}=${encodeQuery(v)}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}
