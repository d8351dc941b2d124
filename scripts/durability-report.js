// Writes into docs/DURABILITY.md the rows that the tests and scripts/durability-storm left in a directory; rows of events
// that were not tried this time stay as they are.
// usage: node scripts/durability-report.js DIRECTORY
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: node scripts/durability-report.js DIRECTORY");

const marker = "<!-- results -->";
const path = new URL("../docs/DURABILITY.md", import.meta.url);
const [head, table] = readFileSync(path, "utf8").split(marker);

const date = new Date().toISOString().slice(0, 10);
const cell = (text) => `${text}`.replaceAll("|", "\\|");
const rowsNow = readdirSync(directory)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(directory, name), "utf8")))
  .map(({ event, system = "pailfs", promise, tried, failed, result: told, note }) => {
    const result = told ?? (failed === 0 ? "held" : `**broken ${failed} times**`);
    return [event, system, promise, tried, result, date, note].map(cell);
  });

const rowsBefore = table
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .slice(2)
  .map((line) => line.slice(2, -2).split(" | "));

// a system's name comes with its version
const keyOf = ([event, system]) => `${event} ${system.split(" ")[0]}`;
const rows = new Map([...rowsBefore, ...rowsNow].map((row) => [keyOf(row), row]));
const lines = [...rows]
  .toSorted(([a], [b]) => a.localeCompare(b))
  .map(([, row]) => `| ${row.join(" | ")} |`);

const where = `Last written on ${date}, ${process.platform} ${process.arch}, Node ${process.version}.`;
const titles = ["event", "system", "promise", "tried", "result", "tried on", "details"];
const heading = [`| ${titles.join(" | ")} |`, `|${"---|".repeat(titles.length)}`];
writeFileSync(path, [`${head}${marker}`, "", where, "", ...heading, ...lines, ""].join("\n"));
