// ListObjectsV2 with its quirks, and ListObjects, which older tools use.
import { S3Refusal, element, xmlDocument } from "./answer.ts";
import { md5Hex, type ObjectIndex, type StoredObject } from "./objects.ts";
import type { Quirks } from "./quirks.ts";

interface Page {
  readonly objects: StoredObject[];
  readonly prefixes: string[];
  /** The last key or common prefix of the page, when there is more. */
  readonly last: string | undefined;
}

/** The XML answer of ListObjectsV2, or of ListObjects where the query does not ask for the second version. */
export function listObjects(index: ObjectIndex, query: URLSearchParams, quirks: Quirks): string {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const wanted = Number(query.get("max-keys") ?? 1000);
  if (!Number.isInteger(wanted) || wanted < 0) throw new S3Refusal(400, "InvalidArgument");
  const maxKeys = Math.min(wanted, quirks.pageKeys ?? 1000);
  const isV2 = query.get("list-type") === "2";
  const token = isV2 ? query.get("continuation-token") : null;
  const start = query.get(isV2 ? "start-after" : "marker") ?? "";
  const after = token === null ? start : decodeToken(token);
  const page = listPage(index, { prefix, delimiter, maxKeys, after, quirks });
  const mode = query.get("encoding-type") === "url" ? (quirks.encodingType ?? "done") : "ignored";
  const name = (text: string): string => encodeName(text, mode, quirks.encodeSlash === true);
  const next = quirks.tokenDoesNotAdvance === true ? (token ?? encodeToken("")) : undefined;
  const parts = [
    element("Prefix", name(prefix)),
    element("MaxKeys", maxKeys),
    delimiter === "" ? "" : element("Delimiter", delimiter),
    mode === "ignored" ? "" : element("EncodingType", "url"),
    element("IsTruncated", page.last !== undefined),
    ...(isV2
      ? [
          quirks.noKeyCount === true
            ? ""
            : element("KeyCount", page.objects.length + page.prefixes.length),
          token === null ? "" : element("ContinuationToken", token),
          page.last === undefined
            ? ""
            : element("NextContinuationToken", next ?? encodeToken(page.last)),
        ]
      : [
          element("Marker", name(start)),
          // without a delimiter the last key is the marker
          page.last === undefined || delimiter === "" ? "" : element("NextMarker", name(page.last)),
        ]),
    ...page.objects.map((object) => contents(object, name, quirks)),
    ...page.prefixes.map((p) => `<CommonPrefixes>${element("Prefix", name(p))}</CommonPrefixes>`),
  ];
  return xmlDocument("ListBucketResult", parts.join(""));
}

function contents(object: StoredObject, name: (text: string) => string, quirks: Quirks): string {
  const form = quirks.etagsInListings ?? "quoted";
  const etag = form === "quoted" ? `"${object.etag}"` : object.etag;
  return (
    `<Contents>${element("Key", name(object.key))}` +
    element("LastModified", new Date(object.lastModified).toISOString()) +
    (form === "none" ? "" : element("ETag", etag)) +
    element("Size", object.size) +
    `${element("StorageClass", object.headers["x-amz-storage-class"] ?? "STANDARD")}</Contents>`
  );
}

interface ListQuestion {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly after: string;
  readonly quirks: Quirks;
}

function listPage(index: ObjectIndex, question: ListQuestion): Page {
  const { prefix, delimiter, maxKeys, after, quirks } = question;
  const keys = orderedKeys(index, prefix, quirks);
  const restart =
    quirks.restartAfterDeletedToken === true && after !== "" && index.get(after) === undefined;
  const page: Page & { last: string | undefined } = { objects: [], prefixes: [], last: undefined };
  const afterPrefix = delimiter !== "" && after.endsWith(delimiter) ? after : undefined;
  let at = after === "" || restart ? keys.start : keys.firstAfter(after);
  let last = "";
  if (quirks.repeatCommonPrefixes === true && afterPrefix !== undefined) {
    page.prefixes.push(afterPrefix);
  }
  for (; at < keys.list.length; at += 1) {
    const key = keys.list[at] ?? "";
    if (!key.startsWith(prefix)) break;
    if (afterPrefix !== undefined && key.startsWith(afterPrefix) && !restart) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const common = cut < 0 ? undefined : key.slice(0, cut + delimiter.length);
    if (common !== undefined && page.prefixes.at(-1) === common) continue;
    if (page.objects.length + page.prefixes.length >= maxKeys) {
      page.last = maxKeys === 0 ? undefined : last;
      break;
    }
    last = common ?? key;
    if (common !== undefined) page.prefixes.push(common);
    else {
      const object = index.get(key);
      if (object !== undefined) page.objects.push(object);
    }
  }
  return page;
}

interface OrderedKeys {
  readonly list: readonly string[];
  readonly start: number;
  firstAfter(key: string): number;
}

function orderedKeys(index: ObjectIndex, prefix: string, quirks: Quirks): OrderedKeys {
  const order = quirks.listOrder ?? "utf8";
  if (order === "utf8") {
    const after = (key: string): number => {
      const at = index.firstFrom(key);
      return index.keys[at] === key ? at + 1 : at;
    };
    const start = index.firstFrom(prefix);
    return { list: index.keys, start, firstAfter: (key) => Math.max(start, after(key)) };
  }
  const ranks = new Map<string, string>();
  for (const key of index.keys) if (key.startsWith(prefix)) ranks.set(key, rankOf(key, order));
  const rank = (key: string): string => ranks.get(key) ?? rankOf(key, order);
  const list = [...ranks.keys()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const firstAfter = (key: string): number => {
    const after = rank(key);
    const at = list.findIndex((other) => rank(other) > after);
    return at < 0 ? list.length : at;
  };
  return { list, start: 0, firstAfter };
}

function rankOf(key: string, order: NonNullable<Quirks["listOrder"]>): string {
  if (order === "utf16" || order === "utf8") return key;
  if (order === "walk") return key.replaceAll("/", "\0");
  return key.split("/").map(md5Hex).join("\0");
}

function encodeName(
  text: string,
  mode: NonNullable<Quirks["encodingType"]>,
  slash: boolean,
): string {
  if (mode === "ignored" || mode === "echoed") return text;
  const encoded = encodeURIComponent(text).replace(/%20/g, mode === "plus" ? "+" : "%20");
  return slash ? encoded : encoded.replaceAll("%2F", "/");
}

function encodeToken(key: string): string {
  return Buffer.from(`t${key}`).toString("base64");
}

function decodeToken(token: string): string {
  return Buffer.from(token, "base64").toString().slice(1);
}
