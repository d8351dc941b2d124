// Every row of the table from S3 to errno.
import { describe, expect, test } from "vitest";
import type { ErrnoName } from "../../../src/posix/errno.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { errnoOfFailure, isRefused, retryDecision, toFsError } from "../../../src/s3/s3-error.ts";
import { S3Failure } from "../../../src/s3/s3-failure.ts";

type Row = readonly [status: number | undefined, code: string, errno: ErrnoName, retry: string];

const rows: readonly Row[] = [
  [404, "NoSuchKey", "ENOENT", "never"],
  [404, "", "EIO", "later"],
  [404, "NotFound", "EIO", "later"],
  [404, "XAdminUserNotFound", "EIO", "later"],
  [404, "NoSuchBucket", "ENXIO", "never"],
  [404, "NoSuchUpload", "ESTALE", "never"],
  [401, "", "EIO", "later"],
  [403, "AccessDenied", "EIO", "later"],
  [403, "SignatureDoesNotMatch", "EIO", "later"],
  [403, "InvalidAccessKeyId", "EIO", "later"],
  [400, "ExpiredToken", "EIO", "later"],
  [403, "InvalidObjectState", "EACCES", "never"],
  [403, "EncryptedObject", "EACCES", "never"],
  [400, "EncryptedObject", "EACCES", "never"],
  [412, "PreconditionFailed", "ESTALE", "never"],
  [412, "", "ESTALE", "never"],
  [416, "InvalidRange", "ESTALE", "never"],
  [400, "KeyTooLongError", "ENAMETOOLONG", "never"],
  [400, "EntityTooLarge", "EFBIG", "never"],
  [400, "TooManyParts", "EFBIG", "never"],
  [405, "MethodNotAllowed", "EOPNOTSUPP", "never"],
  [501, "NotImplemented", "EOPNOTSUPP", "never"],
  [501, "", "EOPNOTSUPP", "never"],
  [409, "ObjectParentIsFile", "ENOTDIR", "never"],
  [409, "ExistingObjectIsDirectory", "EISDIR", "never"],
  [409, "OperationAborted", "EIO", "later"],
  [409, "ConditionalRequestConflict", "EIO", "later"],
  [400, "RequestTimeout", "EIO", "later"],
  [400, "RequestRateLimitExceeded", "EIO", "later"],
  [400, "BadDigest", "EIO", "later"],
  [400, "InvalidArgument", "EIO", "never"],
  [400, "InvalidStorageClass", "EIO", "never"],
  [400, "", "EIO", "later"],
  [408, "x", "EIO", "later"],
  [429, "TooManyRequests", "EIO", "later"],
  [500, "InternalError", "EIO", "later"],
  [502, "x", "EIO", "later"],
  [503, "SlowDown", "EIO", "later"],
  [504, "x", "EIO", "later"],
  [301, "PermanentRedirect", "EIO", "never"],
  [undefined, "ECONNRESET", "EIO", "later"],
  [undefined, "Timeout", "EIO", "later"],
  [undefined, "TruncatedBody", "EIO", "later"],
  [undefined, "ENOTFOUND", "EIO", "later"],
  [undefined, "SELF_SIGNED_CERT_IN_CHAIN", "EIO", "later"],
  [400, "constructor", "EIO", "never"],
];

describe("errnoOfFailure() and retryDecision()", () => {
  test.each(rows)("%s %s is %s, retried %s", (status, code, errno, retry) => {
    const failure = new S3Failure({ status, code });
    expect(errnoOfFailure(failure)).toBe(errno);
    expect(retryDecision(failure).kind).toBe(retry);
  });

  test("412 is EEXIST when the request said If-None-Match", () => {
    const failure = new S3Failure({ status: 412, code: "PreconditionFailed" });
    expect(errnoOfFailure(failure, true)).toBe("EEXIST");
  });

  test("refusals stand at once when asked at start", () => {
    for (const status of [401, 403, 404]) {
      expect(retryDecision(new S3Failure({ status, code: "x" }), false).kind).toBe("never");
    }
    for (const code of ["NoCredentials", "CERT_HAS_EXPIRED"]) {
      expect(retryDecision(new S3Failure({ code }), false).kind).toBe("never");
    }
    expect(retryDecision(new S3Failure({ status: 503, code: "x" }), false).kind).toBe("later");
  });
});

describe("toFsError()", () => {
  test("says the action, keeps the cause, passes an FsError through", () => {
    const failure = new S3Failure({ status: 503, code: "SlowDown", requestId: "r1" });
    const error = toFsError(failure, 'Cannot GET "k"');
    expect(error).toMatchObject({ code: "EIO", cause: failure });
    expect(error.message).toBe('Cannot GET "k": 503 SlowDown (request r1)');
    const known = new FsError("ENOSPC", "full");
    expect(toFsError(known, "x")).toBe(known);
    expect(toFsError(new Error("bug"), "x")).toMatchObject({ code: "EIO" });
  });
});

describe("isRefused()", () => {
  test("is true for 4xx that waiting does not mend", () => {
    const refused = (status: number | undefined, code: string): boolean =>
      isRefused(toFsError(new S3Failure({ status, code }), "x"));
    expect(refused(403, "AccessDenied")).toBe(true);
    expect(refused(400, "InvalidStorageClass")).toBe(true);
    expect(refused(404, "NoSuchBucket")).toBe(false);
    expect(refused(429, "x")).toBe(false);
    expect(refused(503, "SlowDown")).toBe(false);
    expect(refused(undefined, "ECONNRESET")).toBe(false);
    expect(refused(undefined, "NotEncrypted")).toBe(true);
  });
});
