// A bucket as Synapse fills it: two levels of two letters, nearly every directory holds one file.
import type { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";

/** Media that is there: originals of 300 KB with five thumbnails of 5 KB, and previews of one date. */
export const known = {
  local: "/local_content/zB/cD/knownknownknownknown",
  localThumbnails: "/local_thumbnails/zB/cD/knownknownknownknown",
  remote: "/remote_content/example.org/zB/cD/knownknownknownknown",
  remoteThumbnails: "/remote_thumbnail/example.org/zB/cD/knownknownknownknown",
  thumbnail: "320-240-image-png-scale",
  /** Of known.local, but not in the bucket. */
  missingThumbnail: "640-480-image-png-scale",
  previewDate: "2026-11-20",
  previews: ["abcdefghijklmnop", "bcdefghijklmnopq"],
} as const;

/** The directories that every request passes, known to a Synapse that runs for a minute. */
export const topLevel = [
  "/local_content",
  "/local_thumbnails",
  "/remote_content",
  "/remote_content/example.org",
  "/remote_thumbnail",
  "/remote_thumbnail/example.org",
  "/url_cache",
  "/url_cache_thumbnails",
] as const;

/** Above what one LIST tells of a top-level directory, so that none is known as a whole by chance. */
const OTHERS = 1300;
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Fills a server's bucket; the same every time. */
export function fillBucket(s3: LoopbackS3): void {
  for (let i = 0; i < OTHERS; i += 1) {
    const id = otherId(i);
    s3.putText(`local_content/${id}`, "x");
    s3.putText(`local_thumbnails/${id}/${known.thumbnail}`, "x");
    s3.putText(`remote_content/example.org/${id}`, "x");
    s3.putText(`remote_thumbnail/example.org/${id}/${known.thumbnail}`, "x");
    s3.putText(`url_cache/2026-11-19/other${i}`, "x");
    s3.putText(`url_cache_thumbnails/2026-11-19/other${i}/${known.thumbnail}`, "x");
  }
  const original = Buffer.alloc(300_000, "o");
  const thumbnail = Buffer.alloc(5_000, "t");
  for (const path of [known.local, known.remote]) s3.putText(path.slice(1), original);
  for (const folder of [known.localThumbnails, known.remoteThumbnails]) {
    s3.putText(`${folder.slice(1)}/${known.thumbnail}`, thumbnail);
    s3.putText(`${folder.slice(1)}/96-96-image-png-crop`, thumbnail);
  }
  for (const id of known.previews) {
    s3.putText(`url_cache/${known.previewDate}/${id}`, original);
    s3.putText(`url_cache_thumbnails/${known.previewDate}/${id}/${known.thumbnail}`, thumbnail);
  }
}

/** AA/BB/rest of the nth other media. */
function otherId(n: number): string {
  const letter = (k: number): string => letters[k % letters.length] ?? "A";
  const shard = `${letter(n * 7)}${letter(n * 11 + 3)}/${letter(n * 13 + 5)}${letter(n * 17 + 1)}`;
  return `${shard}/other${String(n).padStart(15, "0")}`;
}
