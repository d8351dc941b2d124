// ListObjectsV2 answers -> ListPage, whatever dialect the store speaks.
import type { ListPage, ObjectInfo, ObjectKey } from "./object-store.ts";
import { S3Failure } from "./s3-failure.ts";
import { type RawObject, scanContents } from "./scan-contents.ts";
import { type XmlElement, decodeEntities, elementsOf, parseXml, textOf } from "./xml.ts";

/** Parses one page; `token` is the one that asked for it. Rejects a page whose successor is itself. */
export function parseListPage(text: string, token: string | undefined): ListPage {
  const scanned = scanContents(text);
  const root = parseXml(scanned?.rest ?? text, "ListBucketResult");
  const contents = scanned?.objects ?? elementsOf(root, "Contents").map(rawObject);
  const prefixes = elementsOf(root, "CommonPrefixes").map((e) => textOf(e, "Prefix") ?? "");
  const keys = contents.map((object) => decodeEntities(object["Key"] ?? ""));
  const encoded = textOf(root, "EncodingType") === "url" && isUrlEncoded([...keys, ...prefixes]);
  const decode = encoded ? decodeName : (name: string): string => name;
  const nextToken = nextTokenOf(root, token);
  return {
    objects: contents.map((object, i) => objectInfo(object, decode(keys[i] ?? ""))),
    commonPrefixes: [...new Set(prefixes.map(decode))],
    ...(nextToken === undefined ? {} : { nextToken }),
  };
}

function nextTokenOf(root: XmlElement, token: string | undefined): string | undefined {
  if (textOf(root, "IsTruncated") !== "true") return undefined;
  const next = textOf(root, "NextContinuationToken");
  // going on would never end, stopping would make objects vanish
  if (next === undefined || next === "" || next === token) {
    throw new S3Failure({ code: "BadAnswer", message: "the listing does not advance" });
  }
  return next;
}

// some stores echo the encoding without doing it: characters that it never leaves give them away
function isUrlEncoded(names: readonly string[]): boolean {
  return names.every((name) => !/[^!-~]|["<>]|%(?![0-9a-fA-F]{2})/.test(name));
}

function decodeName(name: string): string {
  if (!/[%+]/.test(name)) return name;
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    // bytes that are no UTF-8: such a key cannot be a name, keep it as it is
    return name;
  }
}

function rawObject(element: XmlElement): RawObject {
  const object: Record<string, string> = {};
  for (const { name, text } of element.children) object[name] ??= text;
  return object;
}

function objectInfo(object: RawObject, key: string): ObjectInfo {
  const storageClass = object["StorageClass"];
  const size = Number(object["Size"] ?? Number.NaN);
  if (key === "" || !Number.isSafeInteger(size)) {
    throw new S3Failure({ code: "BadAnswer", message: "a listed object has no key or size" });
  }
  const etag = unquoteEtag(decodeEntities(object["ETag"] ?? ""));
  const lastModified = Date.parse(object["LastModified"] ?? "") || 0;
  const info = { key: key as ObjectKey, size, etag, lastModified };
  return storageClass === undefined
    ? info
    : { ...info, storageClass: decodeEntities(storageClass) };
}

/** An ETag without its quotes and weakness mark; "" when there is none. */
export function unquoteEtag(etag: string | undefined): string {
  const tag = etag?.startsWith("W/") === true ? etag.slice(2) : (etag ?? "");
  const start = tag.startsWith('"') ? 1 : 0;
  return tag.slice(start, tag.endsWith('"') ? -1 : undefined);
}

const md5Etag = /^[0-9a-f]{32}$/;

/** Whether an ETag has the form of an MD5. */
export function isMd5Etag(etag: string): boolean {
  return md5Etag.test(etag);
}
