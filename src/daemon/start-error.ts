// Why a mount cannot start, by what the operator has to do about it.
import { Errno, errnoOf } from "../posix/errno.ts";

/** What kind of trouble ended a command; the CLI has an exit code for each. */
export type FailureKind =
  | "runtime"
  | "usage"
  | "unavailable"
  | "temporary"
  | "credentials"
  | "configuration"
  | "interrupted";

/** A failure with its kind and a message of one line that says what to do. */
export class StartError extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StartError";
    this.kind = kind;
  }
}

const kindByErrno = new Map<number, FailureKind>([
  [Errno.EACCES, "credentials"],
  [Errno.EPERM, "credentials"],
  [Errno.EROFS, "credentials"],
  // NoSuchBucket, see s3/s3-error.ts
  [Errno.ENXIO, "configuration"],
  [Errno.ENOENT, "configuration"],
  [Errno.ENOTDIR, "configuration"],
  [Errno.EINVAL, "configuration"],
  [Errno.EIO, "unavailable"],
  [Errno.ETIMEDOUT, "unavailable"],
  [Errno.ECONNABORTED, "unavailable"],
  [Errno.EBUSY, "temporary"],
  [Errno.ENOSPC, "temporary"],
  [Errno.EINTR, "interrupted"],
]);

/** Anything thrown while a mount starts as a StartError. */
export function toStartError(error: unknown): StartError {
  if (error instanceof StartError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = kindByStatus(error) ?? kindByErrno.get(errnoOf(error) ?? 0) ?? "runtime";
  return new StartError(kind, message, { cause: error });
}

// while mounted 401 and 403 are EIO, as they may pass; at start they are a matter of keys. The HTTP status is in the cause.
function kindByStatus(error: unknown): FailureKind | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== "object" || cause === null || !("status" in cause)) return undefined;
  if ("code" in cause && cause.code === "NoCredentials") return "credentials";
  const { status } = cause;
  if (status === 401 || status === 403) return "credentials";
  const wrongPlace = status === 301 || status === 307 || status === 400 || status === 404;
  return wrongPlace ? "configuration" : undefined;
}
