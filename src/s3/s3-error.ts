// THE table from S3 and transport failures to errno and to what a retry can do.
import { type ErrnoName, FsError } from "../posix/errno.ts";
import type { RetryDecision } from "./retry.ts";
import { S3Failure, failureOf } from "./s3-failure.ts";

// ENOENT is for NoSuchKey alone: any other 404 may be a proxy, a deleted bucket or an unknown user
const errnoByCode: Readonly<Record<string, ErrnoName>> = {
  NoSuchKey: "ENOENT",
  NoSuchBucket: "ENXIO",
  // the upload must start anew; EBADF would be the other candidate, ENOENT is kept for keys
  NoSuchUpload: "ESTALE",
  InvalidObjectState: "EACCES",
  // ours: an object with a key (SSE-C) that we do not have, an upload that the service would store in clear
  EncryptedObject: "EACCES",
  NotEncrypted: "EOPNOTSUPP",
  PreconditionFailed: "ESTALE",
  InvalidRange: "ESTALE",
  KeyTooLongError: "ENAMETOOLONG",
  KeyTooLong: "ENAMETOOLONG",
  EntityTooLarge: "EFBIG",
  TooManyParts: "EFBIG",
  MethodNotAllowed: "EOPNOTSUPP",
  NotImplemented: "EOPNOTSUPP",
  // VersityGW: keys are paths there
  ObjectParentIsFile: "ENOTDIR",
  ExistingObjectIsDirectory: "EISDIR",
  QuotaExceeded: "ENOSPC",
  XMinioStorageFull: "ENOSPC",
};

const errnoByStatus: Readonly<Record<number, ErrnoName>> = {
  405: "EOPNOTSUPP",
  412: "ESTALE",
  416: "ESTALE",
  501: "EOPNOTSUPP",
};

/** The errno of a failure; `noReplace`: the request said If-None-Match. */
export function errnoOfFailure(failure: S3Failure, noReplace = false): ErrnoName {
  const byStatus = failure.status === undefined ? undefined : errnoByStatus[failure.status];
  if (noReplace && byStatus === "ESTALE" && failure.status === 412) return "EEXIST";
  // own property only: a code named "constructor" is not in the table
  const byCode = Object.hasOwn(errnoByCode, failure.code) ? errnoByCode[failure.code] : undefined;
  return byCode ?? byStatus ?? "EIO";
}

/** The FsError of anything thrown below; `action` is the message's start, e.g. `Cannot GET "key"`. */
export function toFsError(error: unknown, action: string, noReplace = false): FsError {
  if (error instanceof FsError) return error;
  const failure =
    error instanceof S3Failure
      ? error
      : new S3Failure({ code: "InternalError", message: String(error), cause: error });
  const errno = errnoOfFailure(failure, noReplace);
  return new FsError(errno, `${action}: ${failure.message}`, { cause: failure });
}

/** The FsError of a call that its caller gave up; `reason`: what had gone wrong until then. */
export function abortedError(action: string, reason?: S3Failure): FsError {
  return new FsError("EINTR", `${action}: aborted`, { cause: reason });
}

const credentialCodes = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "InvalidToken",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "RequestExpired",
]);

/** Whether fresh credentials may help. */
export function blamesCredentials(failure: S3Failure): boolean {
  if (credentialCodes.has(failure.code)) return true;
  const { status, code } = failure;
  // a HEAD has no body that would say more
  return status === 401 || ((status === 400 || status === 403) && code === "");
}

const retriedCodes = new Set([
  "RequestTimeout",
  "RequestRateLimitExceeded",
  "BadDigest",
  "IncompleteBody",
  "XAmzContentSHA256Mismatch",
  "OperationAborted",
  "ConditionalRequestConflict",
  "SlowDown",
  "Throttling",
  "ThrottlingException",
]);

// wrong for as long as the configuration is wrong
const certificateCodes =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|ERR_SSL_WRONG_VERSION)/;

/** What a retry can do about a failure, corrections apart. */
export function retryDecision(failure: S3Failure, retryForbidden = true): RetryDecision {
  const { status, code, retryAfterMs } = failure;
  const later = { kind: "later", retryAfterMs } as const;
  const never = { kind: "never" } as const;
  if (status === undefined) {
    // at start a wrong configuration is told at once; later, credentials come back and certificates are renewed
    const wrong = certificateCodes.test(code) || code === "NoCredentials";
    return wrong && !retryForbidden ? never : later;
  }
  if (Object.hasOwn(errnoByCode, code)) return never;
  // 403 may be expired or not yet spread keys, a throttle, a clock: it is waited for
  if (status === 401 || status === 403) return retryForbidden ? later : never;
  if (status === 404) return retryForbidden ? later : never;
  if (status === 412 || status === 416) return never;
  if (retriedCodes.has(code) || blamesCredentials(failure)) return later;
  if (status === 408 || status === 425 || status === 429) return later;
  return status >= 500 && status !== 501 && status !== 505 ? later : never;
}

/** Whether S3 refused the request itself (4xx that waiting does not mend), so that other keys need not wait for it. */
export function isRefused(error: unknown): boolean {
  const failure = failureOf(error);
  if (failure?.code === "NotEncrypted") return true;
  const status = failure?.status;
  if (failure === undefined || status === undefined || status < 400 || status >= 500) return false;
  return ![404, 408, 425, 429].includes(status) && !retriedCodes.has(failure.code);
}
