// Writes docs/DURABILITY.md from the rows that the tests and scripts/durability-storm left in a directory.
// usage: node scripts/durability-report.js DIRECTORY
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: node scripts/durability-report.js DIRECTORY");

const rows = readdirSync(directory)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")))
  .map((row) => ({ system: "pailfs", ...row }))
  .toSorted((a, b) => a.event.localeCompare(b.event) || a.system.localeCompare(b.system));

const cell = (text) => `${text}`.replaceAll("|", "\\|");
const lines = rows.map(({ event, system, promise, tried, failed, note }) => {
  const result = failed === 0 ? "held" : `**broken ${failed} times**`;
  return `| ${[event, system, promise, tried, result, note].map(cell).join(" | ")} |`;
});

const marker = "<!-- results -->";
const path = new URL("../docs/DURABILITY.md", import.meta.url);
const [head] = readFileSync(path, "utf8").split(marker);
const date = new Date().toISOString().slice(0, 10);
const table = [
  `Last run: ${date}, ${process.platform} ${process.arch}, Node ${process.version}.`,
  "",
  "| event | system | promise | tried | result | details |",
  "|---|---|---|---|---|---|",
  ...lines,
  "",
];
writeFileSync(path, `${head}${marker}\n\n${table.join("\n")}`);
