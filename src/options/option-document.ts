// The option table as Markdown, for README.md (scripts/generate-options-doc.js writes it, a test compares).
import { optionGroups } from "./option.ts";
import { optionNames, optionOf } from "./option-table.ts";

/** Lines between which README.md holds the table. */
export const optionMarkers = ["<!-- options: generated -->", "<!-- options: end -->"] as const;

/** One Markdown table for each group. */
export function renderOptions(): string {
  const parts = optionGroups.map((group) => {
    const names = optionNames.filter((name) => optionOf(name).group === group);
    const rows = names.map((name) => {
      const { type, defaultText, describe } = optionOf(name);
      const cells = [`\`${name}\``, type.placeholder, defaultText, describe];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    });
    return [
      `### ${group}`,
      "",
      "| option | value | default | |",
      "|---|---|---|---|",
      ...rows,
    ].join("\n");
  });
  return parts.join("\n\n");
}

/** A document with the text between the markers replaced. */
export function insertOptions(document: string): string {
  const [before, rest] = splitAt(document, optionMarkers[0]);
  const [, after] = splitAt(rest, optionMarkers[1]);
  return `${before}${optionMarkers[0]}\n\n${renderOptions()}\n\n${optionMarkers[1]}${after}`;
}

function splitAt(text: string, marker: string): [string, string] {
  const at = text.indexOf(marker);
  if (at < 0) throw new Error(`Cannot insert options: the document has no line ${marker}`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
