import { createHash } from "node:crypto";

/** The name of a mount's own folder below the cache and state directories: readable, and different for each endpoint, bucket and prefix. */
export function mountFolderName(
  endpoint: string | undefined,
  bucket: string,
  prefix: string,
): string {
  const identity = JSON.stringify([endpoint ?? "aws", bucket, prefix]);
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 10);
  const readable = `${bucket}-${prefix}`
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .slice(0, 60)
    .replace(/[-.]+$/, "");
  return `${readable}-${hash}`;
}
