// What went wrong with one request, before it has an errno.

export interface S3FailureDetails {
  /** Absent: no answer came. */
  readonly status?: number | undefined;
  /** S3's error code, Node's or undici's, or one of ours: Timeout, TruncatedBody, BadAnswer, EncryptedObject, NotEncrypted. */
  readonly code: string;
  readonly message?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  /** The bucket's region, where the answer tells it. */
  readonly region?: string | undefined;
  /** The answer's Date header, ms since the epoch. */
  readonly serverTime?: number | undefined;
  readonly cause?: unknown;
}

/** An error answer, a broken connection or a nonsensical answer; becomes the `cause` of an FsError. */
export class S3Failure extends Error {
  readonly status: number | undefined;
  readonly code: string;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly region: string | undefined;
  readonly serverTime: number | undefined;

  constructor(details: S3FailureDetails) {
    super(describe(details), { cause: details.cause });
    this.name = "S3Failure";
    this.status = details.status;
    this.code = details.code;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.region = details.region;
    this.serverTime = details.serverTime;
  }
}

function describe({ status, code, message, requestId }: S3FailureDetails): string {
  const remedy = code === "InvalidObjectState" ? "(it is archived: restore it to read it)" : "";
  const parts = [status, code, message === code ? undefined : message, remedy];
  const text = parts.filter((part) => part !== undefined && part !== "").join(" ");
  return requestId === undefined ? text : `${text} (request ${requestId})`;
}

/** The S3Failure behind an error that this folder threw. */
export function failureOf(error: unknown): S3Failure | undefined {
  if (error instanceof S3Failure) return error;
  return error instanceof Error && error.cause instanceof S3Failure ? error.cause : undefined;
}
