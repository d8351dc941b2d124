import { readdir, readFile } from "node:fs/promises";
import { expect, test } from "vitest";

const top = new URL("../../", import.meta.url).pathname;

test("each paragraph of SEMANTICS.md has its test, and each test its paragraph", async () => {
  const text = await readFile(`${top}docs/SEMANTICS.md`, "utf8");
  const headings = Array.from(text.matchAll(/^### (.+)$/gm), ([, heading]) => heading);
  const files = (await readdir(`${top}test/semantics`)).filter((name) => name.endsWith(".test.ts"));
  const titles: (string | undefined)[] = [];
  for (const file of files.filter((name) => name !== "headings.test.ts")) {
    const source = await readFile(`${top}test/semantics/${file}`, "utf8");
    titles.push(...Array.from(source.matchAll(/^\s*test\(\s*"(.+)",/gm), ([, title]) => title));
  }
  expect(headings.length).toBeGreaterThan(30);
  expect(new Set(titles)).toEqual(new Set(headings));
  expect(titles).toHaveLength(headings.length);
});
