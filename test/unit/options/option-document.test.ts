import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { insertOptions, renderOptions } from "../../../src/options/option-document.ts";
import { optionNames } from "../../../src/options/option-table.ts";

test("README.md holds the option table as it is", async () => {
  const document = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
  expect(insertOptions(document), "run: node scripts/generate-options-doc.js").toBe(document);
});

test("renderOptions() has a row for each option", () => {
  const text = renderOptions();
  for (const name of optionNames) expect(text).toContain(`| \`${name}\` |`);
});

test("insertOptions() refuses a document without markers", () => {
  expect(() => insertOptions("# pailfs")).toThrow("has no line <!-- options: generated -->");
});
