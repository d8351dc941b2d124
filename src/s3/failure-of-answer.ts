// Answers and broken connections -> S3Failure.
import { FsError } from "../posix/errno.ts";
import type { S3Verb } from "./object-store.ts";
import { parseRetryAfter } from "./retry.ts";
import { S3Failure } from "./s3-failure.ts";
import type { HttpAnswer } from "./transport.ts";
import { type XmlElement, parseDocument, textOf } from "./xml.ts";

/** The failure that an answer of 3xx to 5xx stands for. */
export function failureOfAnswer(answer: HttpAnswer, text: string, nowMs: number): S3Failure {
  const { status, headers } = answer;
  const error = errorElement(text);
  const date = Date.parse(headers["date"] ?? "");
  return new S3Failure({
    status,
    code: (error && textOf(error, "Code")) ?? "",
    message: error && textOf(error, "Message"),
    requestId: headers["x-amz-request-id"],
    retryAfterMs: parseRetryAfter(headers["retry-after"], nowMs),
    region: headers["x-amz-bucket-region"] ?? (error && regionOf(error)),
    serverTime: Number.isNaN(date) ? undefined : date,
  });
}

function errorElement(text: string): XmlElement | undefined {
  const root = text.trimStart().startsWith("<") ? parseDocument(text) : undefined;
  return root?.name === "Error" ? root : undefined;
}

function regionOf(error: XmlElement): string | undefined {
  // IllegalLocationConstraint and others name a region that is not the bucket's
  const wrong = textOf(error, "Code") === "AuthorizationHeaderMalformed";
  return wrong ? textOf(error, "Region") : undefined;
}

const slowVerbs: ReadonlySet<S3Verb> = new Set(["COPY", "COPY_PART", "COMPLETE_MULTIPART"]);

/** Throws the error that S3 sends after a 200 when a slow verb failed in the middle. */
export function refuseHiddenError(verb: S3Verb, text: string): void {
  if (!slowVerbs.has(verb)) return;
  const error = errorElement(text);
  if (error === undefined) return;
  const code = textOf(error, "Code") ?? "InternalError";
  throw new S3Failure({ status: 500, code, message: textOf(error, "Message") });
}

/** The failure that anything thrown while sending stands for; undefined for an error of our own caller. */
export function failureOfBreak(error: unknown): S3Failure | undefined {
  if (error instanceof S3Failure) return error;
  if (error instanceof FsError || !(error instanceof Error)) return undefined;
  const cause = "code" in error ? error : error.cause;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  // without a code it is a bug or a credential provider's complaint: both say so in their message
  return new S3Failure({ code: code ?? "Failed", message: error.message, cause: error });
}
