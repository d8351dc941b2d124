// Verb -> handler.
import { S3Refusal, element, xmlDocument } from "./answer.ts";
import type { Bucket } from "./bucket.ts";
import { type Exchange, reply, replyXml } from "./exchange.ts";
import { listObjects } from "./list-handler.ts";
import {
  abortUpload,
  completeUpload,
  copyPart,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from "./multipart-handlers.ts";
import {
  copyObject,
  deleteMany,
  deleteObject,
  getObject,
  headObject,
  putObject,
} from "./object-handlers.ts";
import type { LoopbackVerb } from "./verbs.ts";

type Handler = (exchange: Exchange, buckets: ReadonlyMap<string, Bucket>) => void | Promise<void>;

const handlers: Readonly<Record<LoopbackVerb, Handler>> = {
  GET: getObject,
  HEAD: headObject,
  PUT: putObject,
  DELETE: deleteObject,
  DELETE_MANY: deleteMany,
  COPY: copyObject,
  LIST: (exchange) =>
    replyXml(
      exchange,
      listObjects(exchange.bucket.objects, exchange.request.query, exchange.quirks),
    ),
  CREATE_MULTIPART: createUpload,
  UPLOAD_PART: uploadPart,
  COPY_PART: copyPart,
  COMPLETE_MULTIPART: completeUpload,
  ABORT_MULTIPART: abortUpload,
  LIST_PARTS: listParts,
  LIST_UPLOADS: listUploads,
  HEAD_BUCKET: (exchange) => reply(exchange, 200, { "x-amz-bucket-region": "us-east-1" }),
  CREATE_BUCKET: () => {
    throw new S3Refusal(409, "BucketAlreadyOwnedByYou");
  },
  DELETE_BUCKET: () => {
    throw new S3Refusal(409, "BucketNotEmpty");
  },
  LOCATION: (exchange) => replyXml(exchange, xmlDocument("LocationConstraint", "")),
  OTHER: (exchange) => {
    if (!exchange.request.query.has("versioning")) throw new S3Refusal(405, "MethodNotAllowed");
    replyXml(exchange, xmlDocument("VersioningConfiguration", element("Status", "Suspended")));
  },
};

/** Runs the handler of a request; it answers, or throws an S3Refusal. */
export async function dispatch(
  exchange: Exchange,
  buckets: ReadonlyMap<string, Bucket>,
): Promise<void> {
  await handlers[exchange.request.verb](exchange, buckets);
}
