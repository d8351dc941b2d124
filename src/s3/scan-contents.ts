// The objects of a listing without a tree of elements: a page of 1000 keys takes less than half the time of parseXml(), and
// a crawl parses thousands of pages on the thread that serves the mount.

/** One Contents element: raw texts of its children, entities not decoded; the first of each name counts. */
export type RawObject = Readonly<Record<string, string>>;

export interface ScannedPage {
  readonly objects: readonly RawObject[];
  /** The answer without its Contents elements. */
  readonly rest: string;
}

const OPEN = "<Contents>";
const CLOSE = "</Contents>";

/** Takes plain Contents elements out of a page; undefined for whatever is not plain: parseXml() knows more. */
export function scanContents(text: string): ScannedPage | undefined {
  const start = text.indexOf(OPEN);
  if (start < 0) return undefined;
  const objects: RawObject[] = [];
  let at = start;
  while (text.startsWith(OPEN, at)) {
    const object: Record<string, string> = {};
    const end = scanChildren(text, at + OPEN.length, object);
    if (end < 0) return undefined;
    objects.push(object);
    at = skipBlanks(text, end + CLOSE.length);
  }
  const rest = text.slice(0, start) + text.slice(at);
  // elements apart from the others, comments that may hold anything
  return /[<:]Contents|<!/.test(rest) ? undefined : { objects, rest };
}

/** Reads children up to CLOSE into `object`; returns where CLOSE begins, or -1. */
function scanChildren(text: string, from: number, object: Record<string, string>): number {
  for (let at = skipBlanks(text, from); ; at = skipBlanks(text, at)) {
    if (text.charCodeAt(at) !== LESS) return -1;
    if (text.charCodeAt(at + 1) === SLASH) return text.startsWith(CLOSE, at) ? at : -1;
    const nameEnd = text.indexOf(">", at);
    if (nameEnd < 0) return -1;
    const name = text.slice(at + 1, nameEnd);
    if (!isPlainName(name)) return -1;
    let valueEnd = text.indexOf("<", nameEnd);
    const closing = `</${name}>`;
    if (!text.startsWith(closing, valueEnd)) {
      // nested elements, such as Owner's, are of no interest
      valueEnd = text.indexOf(closing, nameEnd);
      if (valueEnd < 0 || text.slice(nameEnd, valueEnd).includes("<!")) return -1;
    } else if (object[name] === undefined) {
      object[name] = text.slice(nameEnd + 1, valueEnd);
    }
    at = valueEnd + closing.length;
  }
}

const LESS = 0x3c;
const SLASH = 0x2f;

const plainNames = new Set<string>();

// no attributes, namespaces, self-closing tags, comments
function isPlainName(name: string): boolean {
  if (plainNames.has(name)) return true;
  if (!/^[A-Za-z]{1,40}$/.test(name) || name === "Contents" || plainNames.size > 100) return false;
  plainNames.add(name);
  return true;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= 0x20) at += 1;
  return at;
}
