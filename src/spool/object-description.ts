// New metadata for an object that stays: S3 replaces all of it, so what is not ours is read first and written again.
import type { ObjectDescription, ObjectInfo } from "../s3/object-store.ts";

/** Names of the x-amz-meta-* that a record's metadata decides, be they in it or not. */
const ownNames: ReadonlySet<string> = new Set([
  "mode",
  "uid",
  "gid",
  "mtime",
  "ctime",
  "atime",
  "rdev",
  "xattr",
]);

/** Names that AWS's tools read; written only over such ones, so that they do not go on telling what was. */
const awsPrefix = "file-";

/** The description of `found` with `metadata` in place of our part of it. */
export function describedWith(
  found: ObjectInfo,
  metadata: Readonly<Record<string, string>>,
): ObjectDescription {
  const { contentType, httpHeaders, storageClass } = found;
  const kept = Object.entries(found.metadata ?? {}).filter(([name]) => !ownNames.has(name));
  const foreign = Object.fromEntries(
    kept.map(([name, value]) => [name, awsValue(name, metadata) ?? value]),
  );
  return {
    metadata: { ...foreign, ...metadata },
    ...(contentType === undefined ? {} : { contentType }),
    ...(httpHeaders === undefined ? {} : { httpHeaders }),
    ...(storageClass === undefined ? {} : { storageClass }),
  };
}

/** Whether the object says all of this already. */
export function isDescribedBy(
  found: ObjectInfo,
  metadata: Readonly<Record<string, string>>,
): boolean {
  const before = found.metadata ?? {};
  return (
    Object.entries(metadata).every(([name, value]) => before[name] === value) &&
    Object.keys(before).every((name) => !ownNames.has(name) || name in metadata)
  );
}

/** What our metadata means under AWS's name. */
function awsValue(name: string, own: Readonly<Record<string, string>>): string | undefined {
  if (!name.startsWith(awsPrefix)) return undefined;
  switch (name.slice(awsPrefix.length)) {
    case "owner":
      return own["uid"];
    case "group":
      return own["gid"];
    case "permissions":
      return own["mode"] === undefined ? undefined : `0${Number(own["mode"]).toString(8)}`;
    case "mtime":
      return inNanoseconds(own["mtime"]);
    case "atime":
      return inNanoseconds(own["atime"]);
    default:
      return undefined;
  }
}

/** `seconds.nanoseconds` as `nanoseconds` and "ns". */
function inNanoseconds(seconds: string | undefined): string | undefined {
  if (seconds === undefined) return undefined;
  const [whole = "0", fraction = ""] = seconds.split(".");
  return `${BigInt(whole + fraction.padEnd(9, "0"))}ns`;
}
