import { customerKeyType } from "./customer-key.ts";
import {
  integerType,
  autoBooleanType,
  booleanType,
  choiceType,
  endpointType,
  pathType,
  textType,
} from "./option-type.ts";
import { autoSizeType, durationType, sizeType } from "./quantity-type.ts";
import { option, optional } from "./option.ts";

const group = "S3";

/** Options of the bucket, its service and the requests sent there. */
export const s3Options = {
  endpoint: optional({
    group,
    type: endpointType,
    defaultText: "AWS",
    describe: "URL of the S3 service",
  }),
  region: optional({
    group,
    type: textType,
    defaultText: "from the endpoint",
    describe: "Region of the bucket",
  }),
  path_style: option({
    group,
    type: autoBooleanType,
    default: "auto",
    describe:
      "Put the bucket into the path of a URL, not into the host name (auto: yes except on AWS)",
  }),
  profile: optional({
    group,
    type: textType,
    defaultText: "the default one",
    describe: "Profile of the AWS configuration files",
  }),
  credentials_file: optional({
    group,
    type: pathType,
    defaultText: "the AWS chain",
    describe:
      "File with KEY:SECRET, or of the format of ~/.aws/credentials; readable by its owner only",
  }),
  storage_class: optional({
    group,
    type: textType,
    defaultText: "the bucket's",
    describe: "Storage class of uploaded objects",
  }),
  storage_class_min_size: option({
    group,
    // what is uploaded in parts is larger in any case
    type: autoSizeType({ min: 0, max: 5 * 2 ** 20 }),
    default: "auto",
    describe:
      "Smaller objects do not get the storage class (auto: 128K for STANDARD_IA, ONEZONE_IA and GLACIER_IR, which charge that much for each object)",
  }),
  sse: optional({
    group,
    // goofys has --sse standing alone
    type: { ...choiceType(["none", "AES256", "aws:kms"]), alone: "AES256" },
    defaultText: "the bucket's",
    describe: "Server-side encryption of uploaded objects (none: what the bucket does by itself)",
  }),
  sse_kms_key: optional({
    group,
    type: textType,
    defaultText: "the account's",
    describe: "KMS key for uploaded objects; implies sse=aws:kms",
  }),
  sse_customer_key_file: optional({
    group,
    type: pathType,
    defaultText: "none",
    describe:
      "File with a key of yours for server-side encryption (SSE-C): 32 bytes, or base64 of them; readable by its owner only",
  }),
  sse_customer_key: optional({
    group,
    type: customerKeyType,
    defaultText: "none",
    describe: "The key itself; in the environment only (PAILFS_SSE_CUSTOMER_KEY)",
  }),
  requester_pays: option({
    group,
    type: booleanType,
    default: "no",
    describe: "Pay for requests and traffic in place of the bucket's owner",
  }),
  acl: optional({
    group,
    type: textType,
    defaultText: "the bucket's",
    describe: "Canned ACL of uploaded objects, such as bucket-owner-full-control",
  }),
  content_type: optional({
    group,
    type: textType,
    defaultText: "binary/octet-stream",
    describe: "Content type of uploaded objects, or by-extension",
  }),
  part_size: option({
    group,
    type: sizeType({ min: 5 * 2 ** 20, max: 5 * 2 ** 30 }),
    default: "8M",
    describe: "Size of the parts of a multipart upload; grows where 10,000 parts would not do",
  }),
  multipart_threshold: option({
    group,
    type: sizeType({ min: 5 * 2 ** 20, max: 5 * 2 ** 30 }),
    default: "64M",
    describe: "Files above this size are uploaded in parts",
  }),
  s3_deadline: option({
    group,
    type: durationType({ min: 1000, max: 3_600_000 }),
    default: "30s",
    describe: "How long a caller waits for S3, retries included, before EIO",
  }),
  concurrency: option({
    group,
    type: integerType({ min: 1, max: 256 }),
    default: "16",
    describe: "Requests under way at the same time; twice as many copies and deletes besides",
  }),
} as const;
