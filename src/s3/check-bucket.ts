// The question at start: can we use this bucket? One LIST, and one line that says what is wrong.
import { FsError } from "../posix/errno.ts";
import { parseListPage } from "./listing.ts";
import type { CallOptions } from "./object-store.ts";
import type { S3Client } from "./s3-client.ts";
import { errnoOfFailure } from "./s3-error.ts";
import { type S3Failure, failureOf } from "./s3-failure.ts";

/** Contract: ObjectStore.checkBucket; refusals are not retried, trouble is, until the deadline. */
export async function checkBucket(
  client: S3Client,
  options: CallOptions & { readonly prefix?: string } = {},
): Promise<void> {
  const query = { "list-type": "2", "max-keys": "1", prefix: options.prefix ?? "" };
  const call = { verb: "LIST", method: "GET", query, options, retryForbidden: false } as const;
  try {
    // a HEAD would be answered without a body, so without a reason
    await client.ask(call, ({ text }) => parseListPage(text, undefined));
  } catch (error) {
    // of an aborted question too, when something had gone wrong before
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const { bucket } = client.config;
    const message = `Cannot use bucket "${bucket}" at ${client.endpoint.origin}: ${reason(failure, client)}`;
    throw new FsError(errnoOfFailure(failure), message, { cause: failure });
  }
}

function reason(failure: S3Failure, client: S3Client): string {
  const { status, code, message } = failure;
  switch (code) {
    case "NoSuchBucket":
      return "there is no such bucket";
    case "InvalidAccessKeyId":
    case "XAdminUserNotFound":
      return "the access key is unknown there";
    case "SignatureDoesNotMatch":
      return "the secret key does not fit the access key";
    case "ExpiredToken":
    case "InvalidToken":
      return "the session token is expired or wrong";
    case "AuthorizationHeaderMalformed":
    case "PermanentRedirect":
      return `region "${client.endpoint.region}" is not the bucket's: ${message}`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name cannot be resolved";
    case "ECONNREFUSED":
      return "nothing listens there";
    default:
      break;
  }
  if (status === 403 || status === 401) return `access denied: it needs s3:ListBucket (${message})`;
  if (status === 404) return `this is not an S3 endpoint, or the bucket is hidden (${message})`;
  return message;
}
