import {
  integerType,
  autoBooleanType,
  choiceType,
  endpointType,
  pathType,
  textType,
} from "./option-type.ts";
import { durationType, sizeType } from "./quantity-type.ts";
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
  sse: optional({
    group,
    // goofys has --sse standing alone
    type: { ...choiceType(["AES256", "aws:kms"]), alone: "AES256" },
    defaultText: "the bucket's",
    describe: "Server-side encryption of uploaded objects",
  }),
  sse_kms_key: optional({
    group,
    type: textType,
    defaultText: "the account's",
    describe: "KMS key for uploaded objects; implies sse=aws:kms",
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
