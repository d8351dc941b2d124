// What is mounted: bucket, bucket:prefix or s3://bucket/prefix.
import { OptionError } from "./option-error.ts";

export interface MountSource {
  readonly bucket: string;
  /** As given, "" for the whole bucket. */
  readonly prefix: string;
}

/**
 * Takes a source apart; throws OptionError. A prefix is taken as it is, no slash is added: "p" are all keys that begin with
 * it. goofys means the directory "p/", however it is written, and so do we in its place.
 */
export function parseSource(text: string, isGoofys = false): MountSource {
  // mount.fuse's old notation; what is shown in mountinfo stays as it was written, for mount -a
  const plain = text.replace(/^(?:goofys|pailfs)#/, "");
  const url = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(plain);
  const colon = plain.indexOf(":");
  const [bucket, written] =
    url !== null
      ? [url[1] ?? "", url[2] ?? ""]
      : colon < 0
        ? [plain, ""]
        : [plain.slice(0, colon), plain.slice(colon + 1)];
  const prefix = isGoofys || text.startsWith("goofys#") ? asDirectory(written) : written;
  // names of old buckets had up to 255 letters of either case and underscores; what S3 accepts is S3's business
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(bucket)) {
    throw new OptionError(
      `Cannot mount "${text}": want BUCKET, BUCKET:PREFIX or s3://BUCKET/PREFIX` +
        (bucket === "" ? "" : `, and "${bucket}" is no bucket name`),
    );
  }
  if (prefix.startsWith("/")) {
    throw new OptionError(
      `Cannot mount "${text}": a prefix that starts with "/" names keys below an empty name; write "${prefix.replace(/^\/+/, "")}"`,
    );
  }
  if (Buffer.byteLength(prefix) > 900) {
    throw new OptionError(`Cannot mount "${text}": want a prefix of at most 900 bytes`);
  }
  return { bucket, prefix };
}

function asDirectory(prefix: string): string {
  const path = prefix.replaceAll(/^\/+|\/+$/g, "");
  return path === "" ? "" : `${path}/`;
}
