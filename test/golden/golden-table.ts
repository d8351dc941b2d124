// requests.md: rows of counts per mode, as Markdown.
import type { LoopbackVerb } from "../support/loopback-s3/verbs.ts";
import type { Mode } from "./modes.ts";

/** "group/operation" -> mode -> counts. */
export type Golden = Map<string, Readonly<Record<string, string>>>;

/** As "HEAD 1, LIST 1", or "0". */
export function describeCounts(counts: Partial<Record<LoopbackVerb, number>>): string {
  const used = Object.entries(counts).filter(([, count]) => count > 0);
  const sorted = used.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([verb, count]) => `${verb} ${count}`).join(", ") || "0";
}

export function renderGolden(golden: Golden, modes: readonly Mode[]): string {
  const lines = [
    "# Requests per operation",
    "",
    "Counted by requests.test.ts, which fails when a number changes. Requests until everything is in the bucket, by verb.",
    "",
    ...modes.map(({ name, meaning }) => `- **${name}**: ${meaning}`),
  ];
  let group: string | undefined;
  for (const [key, counts] of golden) {
    const [its = "", name = ""] = key.split("/");
    if (its !== group) {
      const head = ["operation", ...modes.map((mode) => mode.name)];
      lines.push("", `## ${its}`, "", row(head), row(head.map(() => "---")));
      group = its;
    }
    lines.push(row([name, ...modes.map((mode) => counts[mode.name] ?? "")]));
  }
  return `${lines.join("\n")}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** What renderGolden() wrote. */
export function parseGolden(text: string): Golden {
  const golden: Golden = new Map();
  let group = "";
  let modes: readonly string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) group = line.slice(3);
    if (!line.startsWith("|") || line.startsWith("| ---")) continue;
    const [name = "", ...counts] = line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim());
    if (name === "operation") modes = counts;
    else
      golden.set(`${group}/${name}`, Object.fromEntries(modes.map((m, i) => [m, counts[i] ?? ""])));
  }
  return golden;
}
