// Verifies AWS Signature Version 4 in the Authorization header, as strictly as Amazon does.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { S3Refusal } from "./answer.ts";
import { header, type S3Request } from "./verbs.ts";

export interface Login {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** Requests without it are refused when set. */
  readonly sessionToken?: string;
}

const maxSkewMs = 15 * 60_000;
const keyCache = new Map<string, Buffer>();

/** Throws the refusal Amazon would answer; `now` is the server's clock in ms. */
export function checkSignature(request: S3Request, login: Login, now: number): void {
  const authorization = header(request.http, "authorization");
  if (authorization === undefined) throw new S3Refusal(403, "AccessDenied", "No signature");
  const fields =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  const [, credential = "", signedHeaders = "", signature = ""] = fields ?? [];
  const [accessKeyId, day = "", region, service, end] = credential.split("/");
  if (fields === null || service !== "s3" || end !== "aws4_request") {
    throw new S3Refusal(400, "AuthorizationHeaderMalformed", "Cannot parse the authorization");
  }
  if (accessKeyId !== login.accessKeyId) throw new S3Refusal(403, "InvalidAccessKeyId");
  if (header(request.http, "x-amz-security-token") !== login.sessionToken) {
    throw new S3Refusal(400, login.sessionToken === undefined ? "InvalidToken" : "ExpiredToken");
  }
  if (region !== login.region) {
    const message = `the region '${region}' is wrong; expecting '${login.region}'`;
    throw new S3Refusal(400, "AuthorizationHeaderMalformed", message, { Region: login.region });
  }
  const date = header(request.http, "x-amz-date") ?? "";
  checkDate(date, day, now);
  checkSignedHeaders(request, signedHeaders.split(";"));
  const scope = `${day}/${region}/s3/aws4_request`;
  const canonical = canonicalRequest(request, signedHeaders);
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`;
  const expected = createHmac("sha256", signingKey(login, day)).update(text).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, "hex"))) {
    throw new S3Refusal(403, "SignatureDoesNotMatch", "Signature does not match", {
      CanonicalRequest: canonical,
    });
  }
}

function checkDate(date: string, day: string, now: number): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
  if (match === null || !date.startsWith(day)) {
    throw new S3Refusal(403, "AccessDenied", "No valid x-amz-date");
  }
  const [y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = match.slice(1).map(Number);
  if (Math.abs(Date.UTC(y, mo - 1, d, h, mi, s) - now) > maxSkewMs) {
    throw new S3Refusal(403, "RequestTimeTooSkewed", "Clocks differ too much", {
      ServerTime: new Date(now).toISOString(),
    });
  }
}

function checkSignedHeaders(request: S3Request, signed: readonly string[]): void {
  const names = Object.keys(request.http.headers);
  const wanted = ["host", ...names.filter((n) => n.startsWith("x-amz-") || n === "content-md5")];
  const missing = wanted.find((name) => !signed.includes(name));
  if (missing !== undefined) {
    throw new S3Refusal(403, "AccessDenied", `Header ${missing} is not signed`);
  }
  if (header(request.http, "x-amz-content-sha256") === undefined) {
    throw new S3Refusal(400, "MissingSecurityHeader", "x-amz-content-sha256 is missing");
  }
}

function canonicalRequest(request: S3Request, signedHeaders: string): string {
  const headers = signedHeaders
    .split(";")
    .map((name) => `${name}:${(header(request.http, name) ?? "").trim().replace(/ +/g, " ")}\n`);
  const path = request.path.split("/").map((part) => encode(decodeURIComponent(part)));
  return [
    request.method,
    path.join("/"),
    canonicalQuery(request.rawQuery),
    headers.join(""),
    signedHeaders,
    header(request.http, "x-amz-content-sha256") ?? "",
  ].join("\n");
}

function canonicalQuery(raw: string): string {
  if (raw === "") return "";
  const pairs = raw.split("&").map((pair) => {
    const [name = "", ...rest] = pair.split("=");
    return [encode(decodeURIComponent(name)), encode(decodeURIComponent(rest.join("=")))] as const;
  });
  pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function signingKey(login: Login, day: string): Buffer {
  const id = `${login.secretAccessKey}/${login.region}/${day}`;
  const known = keyCache.get(id);
  if (known !== undefined) return known;
  let key = Buffer.from(`AWS4${login.secretAccessKey}`);
  for (const text of [day, login.region, "s3", "aws4_request"]) {
    key = createHmac("sha256", key).update(text).digest();
  }
  keyCache.set(id, key);
  return key;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
