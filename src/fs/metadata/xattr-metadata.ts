// Extended attributes as s3fs keeps them: JSON of names and base64 values, percent-encoded.

export type Xattrs = Readonly<Record<string, Uint8Array>>;

/** Undefined where there are none. */
export function formatXattrs(xattrs: Xattrs | undefined): string | undefined {
  const pairs = Object.entries(xattrs ?? {});
  if (pairs.length === 0) return undefined;
  const members = pairs.map(
    ([name, value]) => `${JSON.stringify(name)}:"${Buffer.from(value).toString("base64")}"`,
  );
  return encodeURIComponent(`{${members.join(",")}}`);
}

/** Undefined where it is not what formatXattrs() or s3fs writes; other names than `user.*` and `trusted.*` are left out. */
export function parseXattrs(text: string): Xattrs | undefined {
  let value: unknown;
  try {
    value = JSON.parse(decodeURIComponent(text));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const pairs: [string, Uint8Array][] = [];
  for (const [name, encoded] of Object.entries(value)) {
    if (typeof encoded !== "string") return undefined;
    if (!isKept(name)) continue;
    pairs.push([name, Buffer.from(encoded, "base64")]);
  }
  // fromEntries defines own properties, so an xattr called "__proto__" is one too
  return Object.fromEntries(pairs);
}

/** XATTR_NAME_MAX of Linux is 255. */
function isKept(name: string): boolean {
  const isNamespaced = /^(user|trusted)\../s.test(name);
  return isNamespaced && !name.includes("\0") && Buffer.byteLength(name) <= 255;
}
