// The status of a mount as metrics.
import type { DaemonStatus } from "../status.ts";
import { type Metric, rows, type Sample } from "./metric-table.ts";

/** What says nothing as a number. */
const unasked: ReadonlySet<string> = new Set(["pid"]);

/** All metrics of a status: those of the table, then each number that has no row there. */
export function collectMetrics(status: DaemonStatus, nowMs: number): Metric[] {
  const fields = new Set(rows.map(({ field }) => field));
  const fromTable = rows.map(({ name, type, help, value }) => {
    return { name, type, help, samples: samplesOf(value(status, nowMs)) };
  });
  const others = [...numbersOf(status, "", fields)].map(([field, value]) => gaugeOf(field, value));
  return [...fromTable, ...others];
}

function samplesOf(value: number | boolean | readonly Sample[]): readonly Sample[] {
  return typeof value === "object" ? value : [{ value: Number(value) }];
}

/** @yields numbers and truths with their paths, save what is below one of `known`. */
function* numbersOf(
  part: object,
  path: string,
  known: ReadonlySet<string | undefined>,
): Generator<[field: string, value: number | boolean]> {
  for (const [name, value] of Object.entries(part) as [string, unknown][]) {
    const field = path === "" ? name : `${path}.${name}`;
    if (known.has(field) || unasked.has(field)) continue;
    if (typeof value === "number" || typeof value === "boolean") yield [field, value];
    else if (typeof value === "object" && value !== null) yield* numbersOf(value, field, known);
  }
}

/** queue.heldBytes as queue_held_bytes; ...Ms, which in a status is a time, in seconds since the epoch. */
function gaugeOf(field: string, value: number | boolean): Metric {
  const isTime = field.endsWith("Ms");
  const words = field
    .replace(/Ms$/, "TimestampSeconds")
    .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replaceAll(/[^a-z0-9_]/g, "_");
  return {
    name: words,
    type: "gauge",
    help: `${field} of pailfs status.`,
    samples: [{ value: isTime ? Number(value) / 1000 : Number(value) }],
  };
}
