import { describe, expect, test } from "vitest";
import { parseListPage, unquoteEtag } from "../../../src/s3/listing.ts";
import { scanContents } from "../../../src/s3/scan-contents.ts";
import { parseXml, textOf } from "../../../src/s3/xml.ts";

function page(inside: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="x">${inside}</ListBucketResult>`;
}

function contents(key: string): string {
  return `<Contents><Key>${key}</Key><LastModified>2026-11-20T23:56:39.195Z</LastModified><ETag>&quot;e&quot;</ETag><Size>6</Size></Contents>`;
}

function keysOf(text: string): string[] {
  return parseListPage(text, undefined).objects.map(({ key }) => key);
}

describe("parseListPage()", () => {
  test("reads keys, sizes, ETags, times", () => {
    const { objects } = parseListPage(page(contents("a/b")), undefined);
    const lastModified = Date.parse("2026-11-20T23:56:39.195Z");
    expect(objects).toEqual([{ key: "a/b", size: 6, etag: "e", lastModified }]);
  });

  test("keeps keys as text, blanks and digits and entities", () => {
    const keys = ["007", " a ", "true", "&lt;&amp;&gt;", "&#65;&#x42;", "<![CDATA[c&d]]>"];
    expect(keysOf(page(keys.map(contents).join("")))).toEqual([
      "007",
      " a ",
      "true",
      "<&>",
      "AB",
      "c&d",
    ]);
  });

  test("decodes only where the answer says it did encode", () => {
    const url = "<EncodingType>url</EncodingType>";
    expect(keysOf(page(contents("a%20b+c")))).toEqual(["a%20b+c"]);
    expect(keysOf(page(url + contents("a%20b+c%2Bd")))).toEqual(["a b c+d"]);
    // echoed, but the blank and the lone percent show that nothing was encoded
    expect(keysOf(page(url + contents("a b+c")))).toEqual(["a b+c"]);
    expect(keysOf(page(url + contents("a%zz+c")))).toEqual(["a%zz+c"]);
    // bytes that are no UTF-8
    expect(keysOf(page(url + contents("a%ff")))).toEqual(["a%ff"]);
  });

  test("tells each common prefix once", () => {
    const prefix = "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>";
    expect(parseListPage(page(prefix + prefix), undefined).commonPrefixes).toEqual(["a/"]);
  });

  test.each([
    ["<IsTruncated>true</IsTruncated>", undefined],
    ["<IsTruncated>true</IsTruncated><NextContinuationToken/>", undefined],
    ["<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>", "t"],
  ])("rejects a page that does not advance: %s", (inside, token) => {
    expect(() => parseListPage(page(inside), token)).toThrow(/does not advance/);
  });

  test.each([
    "",
    "not xml",
    "<html><body>proxy</body></html>",
    page(contents("a")).slice(0, -20),
    page("<Contents><Key>a</Key></Contents>"),
    page("<Contents><Size>1</Size></Contents>"),
  ])("rejects %j, an empty page is not made of it", (text) => {
    expect(() => parseListPage(text, undefined)).toThrow(/BadAnswer/);
  });

  test("takes an empty page in each spelling", () => {
    const empty = { objects: [], commonPrefixes: [] };
    expect(parseListPage(page(""), undefined)).toEqual(empty);
    expect(parseListPage("<s3:ListBucketResult/>", undefined)).toEqual(empty);
  });
});

const plain = contents("a/b").repeat(3);

describe("scanContents()", () => {
  test("finds in a plain page what parseXml() finds", () => {
    const owner = "<Owner><ID>x</ID><Key>no</Key></Owner>";
    const text = page(
      `<Prefix>p</Prefix>\n ${plain.replaceAll("<Key>", `\n${owner}<Key>`)}<KeyCount>3</KeyCount>`,
    );
    const scanned = scanContents(text);
    expect(scanned?.objects).toHaveLength(3);
    expect(scanned?.objects[2]).toMatchObject({ Key: "a/b", Size: "6", ETag: "&quot;e&quot;" });
    expect(scanned?.rest).toBe(page("<Prefix>p</Prefix>\n <KeyCount>3</KeyCount>"));
    // the long way, because of the comment
    const slow = text.replace("</Key>", "</Key><!-- -->");
    expect(scanContents(slow)).toBeUndefined();
    expect(parseListPage(text, undefined)).toEqual(parseListPage(slow, undefined));
  });

  test.each([
    page(""),
    page(`${plain}<Contents/>`),
    page(`${plain}<Prefix/>${plain}`),
    page(plain.replace("<Key>", '<Key x="1">')),
    page(plain.replace("a/b", "<![CDATA[a]]>")),
    page(plain).replaceAll("Contents>", "s3:Contents>"),
    page(`${plain}<!-- <Contents> -->`),
    page(plain).slice(0, -60),
  ])("leaves %j to parseXml()", (text) => {
    expect(scanContents(text)).toBeUndefined();
  });
});

test("parseXml() skips comments and attributes", () => {
  const root = parseXml('<?xml?><!-- < --><r a="1"><x b="2">t</x><!-- y --></r>', "r");
  expect(textOf(root, "x")).toBe("t");
  expect(textOf(root, "y")).toBeUndefined();
});

test.each([
  ['"e"', "e"],
  ['W/"e"', "e"],
  ["e", "e"],
  [undefined, ""],
])("unquoteEtag(%s) is %s", (etag, bare) => {
  expect(unquoteEtag(etag)).toBe(bare);
});
