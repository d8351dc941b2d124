// Lists objects without pailfs having a part in it: AWS's own client, one line each.
// usage: node scripts/list-bucket.js ENDPOINT BUCKET[:PREFIX] [BELOW]
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";

const [endpoint, source = "", below = ""] = process.argv.slice(2);
const [Bucket, ...prefix] = source.split(":");
const client = new S3Client({
  endpoint,
  region: process.env.AWS_REGION ?? "us-east-1",
  forcePathStyle: true,
});
let ContinuationToken;
do {
  const page = await client.send(
    new ListObjectsV2Command({ Bucket, Prefix: prefix.join(":") + below, ContinuationToken }),
  );
  for (const { Key, Size } of page.Contents ?? []) console.log(String(Size).padStart(10), Key);
  ContinuationToken = page.NextContinuationToken;
} while (ContinuationToken !== undefined);
client.destroy();
