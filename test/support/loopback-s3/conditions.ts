// If-Match and If-None-Match, Range.
import type { IncomingMessage } from "node:http";
import { S3Refusal } from "./answer.ts";
import type { StoredObject } from "./objects.ts";
import { header } from "./verbs.ts";

function matches(condition: string, etag: string): boolean {
  return condition
    .split(",")
    .some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "").replace(/"/g, "") === etag);
}

/** Throws 412 or 304 when the conditions of a GET or HEAD do not hold. */
export function checkReadConditions(http: IncomingMessage, object: StoredObject): void {
  const ifMatch = header(http, "if-match");
  if (ifMatch !== undefined && !matches(ifMatch, object.etag)) {
    throw new S3Refusal(412, "PreconditionFailed");
  }
  const ifNoneMatch = header(http, "if-none-match");
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, object.etag)) {
    throw new S3Refusal(304, "NotModified", "NotModified", {}, { ETag: `"${object.etag}"` });
  }
}

/** Throws 412 (or 404 for If-Match on an absent key) when the conditions of a write do not hold. */
export function checkWriteConditions(
  http: IncomingMessage,
  current: StoredObject | undefined,
  rightEtagIsWrong: boolean,
): void {
  const ifNoneMatch = header(http, "if-none-match");
  if (ifNoneMatch !== undefined && current !== undefined && matches(ifNoneMatch, current.etag)) {
    throw new S3Refusal(412, "PreconditionFailed");
  }
  const ifMatch = header(http, "if-match");
  if (ifMatch === undefined) return;
  if (current === undefined) throw new S3Refusal(404, "NoSuchKey");
  if (rightEtagIsWrong || !matches(ifMatch, current.etag)) {
    throw new S3Refusal(412, "PreconditionFailed");
  }
}

/** The bytes [start, end) a Range header asks for, or undefined without one (or with one that S3 ignores). */
export function parseRange(
  value: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(value ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (start >= size || start >= end) {
    throw new S3Refusal(
      416,
      "InvalidRange",
      "The requested range is not satisfiable",
      { ActualObjectSize: String(size) },
      { "Content-Range": `bytes */${size}` },
    );
  }
  return { start, end };
}
