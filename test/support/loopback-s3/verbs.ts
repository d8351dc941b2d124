// What one HTTP request asks of S3: its verb, bucket, key and query.
import type { IncomingMessage } from "node:http";

/** The S3Verb names of src/s3/object-store.ts (this folder is built apart from src), and those only a server knows. */
export type LoopbackVerb =
  | "GET"
  | "HEAD"
  | "PUT"
  | "DELETE"
  | "LIST"
  | "COPY"
  | "CREATE_MULTIPART"
  | "UPLOAD_PART"
  | "COPY_PART"
  | "COMPLETE_MULTIPART"
  | "ABORT_MULTIPART"
  | "DELETE_MANY"
  | "HEAD_BUCKET"
  | "CREATE_BUCKET"
  | "DELETE_BUCKET"
  | "LOCATION"
  | "LIST_PARTS"
  | "LIST_UPLOADS"
  | "OTHER";

/** A request taken apart; `path` and `query` are raw as sent. */
export interface S3Request {
  readonly http: IncomingMessage;
  readonly method: string;
  readonly verb: LoopbackVerb;
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly rawQuery: string;
}

/** A header that comes at most once. */
export function header(http: IncomingMessage, name: string): string | undefined {
  const value = http.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

/** Takes a request apart: path-style, or virtual host when the host's first label is one of `buckets`. */
export function parseRequest(http: IncomingMessage, buckets: ReadonlySet<string>): S3Request {
  const url = http.url ?? "/";
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const rawQuery = mark < 0 ? "" : url.slice(mark + 1);
  // "+" in a query is a plus for S3 clients that sign it as %2B only; URLSearchParams would read a space
  const query = new URLSearchParams(rawQuery.replaceAll("+", "%2B"));
  const host = header(http, "host") ?? "";
  const label = host.slice(0, Math.max(0, host.indexOf(".")));
  const decoded = decodeURIComponent(path.slice(1));
  const slash = decoded.indexOf("/");
  const byHost = buckets.has(label);
  const bucket = byHost ? label : slash < 0 ? decoded : decoded.slice(0, slash);
  const key = byHost ? decoded : slash < 0 ? "" : decoded.slice(slash + 1);
  const method = http.method ?? "GET";
  return {
    http,
    method,
    verb: verbOf(http, method, key, query),
    bucket,
    key,
    path,
    query,
    rawQuery,
  };
}

function verbOf(
  http: IncomingMessage,
  method: string,
  key: string,
  query: URLSearchParams,
): LoopbackVerb {
  if (key === "") return bucketVerb(method, query);
  const copies = header(http, "x-amz-copy-source") !== undefined;
  const inUpload = query.has("uploadId");
  switch (method) {
    case "GET":
      return inUpload ? "LIST_PARTS" : "GET";
    case "HEAD":
      return "HEAD";
    case "PUT":
      if (inUpload) return copies ? "COPY_PART" : "UPLOAD_PART";
      return copies ? "COPY" : "PUT";
    case "DELETE":
      return inUpload ? "ABORT_MULTIPART" : "DELETE";
    case "POST":
      if (query.has("uploads")) return "CREATE_MULTIPART";
      return inUpload ? "COMPLETE_MULTIPART" : "OTHER";
    default:
      return "OTHER";
  }
}

function bucketVerb(method: string, query: URLSearchParams): LoopbackVerb {
  if (method === "HEAD") return "HEAD_BUCKET";
  if (method === "PUT") return "CREATE_BUCKET";
  if (method === "DELETE") return "DELETE_BUCKET";
  if (method === "POST") return query.has("delete") ? "DELETE_MANY" : "OTHER";
  if (query.has("location")) return "LOCATION";
  if (query.has("uploads")) return "LIST_UPLOADS";
  if (query.has("versioning")) return "OTHER";
  return "LIST";
}
