// The little XML that S3 speaks: elements and text. (A general parser took 17 ms of the serving thread for a page
// of 1000 keys, this one 4 ms.) No DTD, so no entities but the predefined ones.
import { S3Failure } from "./s3-failure.ts";

/** An element: its own text, raw, and its children in order; attributes are skipped, namespace prefixes dropped. */
export interface XmlElement {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

// text, then one tag (or comment, declaration, CDATA)
const token = /([^<]*)<(?:!--[^]*?--|\?[^>]*|!\[CDATA\[([^]*?)\]\]|(\/?)([\w.:-]+)[^>]*?(\/?))>/y;

/** The root element `root` of a document; rejects with a retriable failure what is cut, no XML or has another root. */
export function parseXml(text: string, root: string): XmlElement {
  const element = parseDocument(text);
  if (element?.name === root) return element;
  const found = element === undefined ? "XML" : `a ${element.name} but`;
  throw new S3Failure({ code: "BadAnswer", message: `answer is not ${found} a ${root}` });
}

/** The root element of a document; undefined for what is cut or no XML. */
export function parseDocument(text: string): XmlElement | undefined {
  const top: XmlElement = { name: "", text: "", children: [] };
  const open: XmlElement[] = [top];
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, before = "", cdata, close, rawName, selfClosing] = match;
    const current = open.at(-1) ?? top;
    current.text += before;
    if (cdata !== undefined) current.text += cdata.replaceAll("&", "&amp;");
    if (rawName === undefined) continue;
    const name = rawName.slice(rawName.indexOf(":") + 1);
    if (close === "/") {
      if (current === top || current.name !== name) return undefined;
      open.pop();
      if (open.length === 1) return top.children[0];
    } else {
      const element: XmlElement = { name, text: "", children: [] };
      current.children.push(element);
      if (selfClosing !== "/") open.push(element);
      else if (current === top) return element;
    }
  }
  return undefined;
}

/** Children of one name: none, one or many. */
export function elementsOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** Text of a child, entities decoded; undefined when there is no such child. */
export function textOf(element: XmlElement, name: string): string | undefined {
  const child = element.children.find((one) => one.name === name);
  return child === undefined ? undefined : decodeEntities(child.text);
}

const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

/** Text with its predefined and numeric entities decoded. */
export function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  // each ETag of a listing has two of these
  const unquoted = text.replaceAll("&quot;", '"');
  if (!unquoted.includes("&")) return unquoted;
  return text.replace(
    /&(?:#(\d+)|#x([0-9a-f]+)|(amp|lt|gt|quot|apos));/gi,
    (all, decimal?: string, hex?: string, name = "") => {
      if (decimal === undefined && hex === undefined) return named[name] ?? all;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}

/** Text as it may stand inside an element. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
