// What the options say of the bucket and of requests to it.
import type { S3Options } from "../../options/mount-options.ts";
import { homeDirectory } from "../../posix/home-directory.ts";
import { credentialProvider } from "../../s3/credentials.ts";
import type { Encryption, S3Config } from "../../s3/s3-call.ts";
import { customerKeyOf } from "../check-credentials.ts";

/** Configuration of an S3ObjectStore; asks no provider of credentials yet. Rejects with StartError. */
export async function storeConfig(s3: S3Options): Promise<S3Config> {
  const keys = s3.credentials.environmentKeys;
  return {
    bucket: s3.bucket,
    endpoint: s3.endpoint,
    region: s3.region,
    pathStyle: s3.pathStyle,
    credentials: credentialProvider({
      bucket: s3.bucket,
      credentialsFile: s3.credentials.file,
      profile: s3.credentials.profile,
      environment: {
        HOME: homeDirectory(),
        AWS_ACCESS_KEY_ID: keys?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: keys?.secretAccessKey,
        AWS_SESSION_TOKEN: keys?.sessionToken,
      },
    }),
    deadlineMs: s3.deadlineMs,
    concurrency: s3.concurrency,
    storageClass: s3.storageClass,
    storageClassMinBytes: s3.storageClassMinBytes,
    acl: s3.acl,
    encryption: await encryptionOf(s3),
    requesterPays: s3.requesterPays,
  };
}

async function encryptionOf(s3: S3Options): Promise<Encryption | undefined> {
  const key = await customerKeyOf(s3);
  if (key !== undefined) return { kind: "customer", key };
  if (s3.sse === undefined) return undefined;
  return s3.sse === "AES256" ? { kind: "AES256" } : { kind: "aws:kms", keyId: s3.sseKmsKey };
}
