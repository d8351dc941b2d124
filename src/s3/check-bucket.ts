// The question at start: can we use this bucket? One LIST, and one line that says what is wrong.
import { log } from "../log.ts";
import { FsError } from "../posix/errno.ts";
import { parseListPage } from "./listing.ts";
import type { CallOptions, ListPage, ObjectInfo } from "./object-store.ts";
import type { S3Client } from "./s3-client.ts";
import { errnoOfFailure } from "./s3-error.ts";
import { type S3Failure, failureOf } from "./s3-failure.ts";

/** Contract: ObjectStore.checkBucket; refusals are not retried, trouble is, until the deadline. */
export async function checkBucket(
  client: S3Client,
  options: CallOptions & { readonly prefix?: string } = {},
): Promise<void> {
  const { prefix = "" } = options;
  // with SSE-C some are looked at
  const count = client.customerKey === undefined ? 1 : 5;
  const query = { "list-type": "2", "max-keys": String(count), prefix };
  const call = { verb: "LIST", method: "GET", query, options, retryForbidden: false } as const;
  let page: ListPage;
  try {
    // a HEAD would be answered without a body, so without a reason
    page = await client.ask(call, ({ text }) => parseListPage(text, undefined));
  } catch (error) {
    // of an aborted question too, when something had gone wrong before
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    throw problem(failure, reason(failure, client), client);
  }
  warnOfPrefix(page.objects[0]?.key, prefix, client);
  await checkCustomerKey(page.objects, client, options);
}

function problem(failure: S3Failure, reason: string, { config, endpoint }: S3Client): FsError {
  const message = `Cannot use bucket "${config.bucket}" at ${endpoint.origin}: ${reason}`;
  return new FsError(errnoOfFailure(failure), message, { cause: failure });
}

// "p" is no directory but the beginning of keys: right for some buckets, and a slip of the pen for others
function warnOfPrefix(first: string | undefined, prefix: string, { config }: S3Client): void {
  if (prefix === "" || first?.startsWith(`${prefix}/`) !== true || prefix.endsWith("/")) return;
  log.warn(
    'keys that start with "%s/" are not shown: a prefix is taken as it is; for them mount %s:%s/',
    prefix,
    config.bucket,
    prefix,
  );
}

/** Rejects when none of some objects opens with our key; some may have no key or an older one. */
async function checkCustomerKey(
  objects: readonly ObjectInfo[],
  client: S3Client,
  options: CallOptions,
): Promise<void> {
  if (client.customerKey === undefined || objects.length === 0) return;
  const heads = await Promise.allSettled(
    objects.map(async ({ key }) => client.head(key, { ...options, retryForbidden: false })),
  );
  const failures = heads.map((head) =>
    head.status === "rejected" ? failureOf(head.reason) : undefined,
  );
  const [failure] = failures;
  if (failure === undefined || failures.some((other) => other?.code !== "EncryptedObject")) return;
  throw problem(failure, `"${objects[0]?.key}" cannot be read: ${failure.message}`, client);
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
