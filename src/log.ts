// Levelled log lines on stderr; a leaf that every folder may use.
import { formatWithOptions } from "node:util";

const levels = ["error", "warn", "info", "debug", "trace"] as const;

export type LogLevel = (typeof levels)[number];

// sd-daemon(3) priorities, used when stderr is the journal
const journalPriority: Record<LogLevel, number> = {
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
  trace: 7,
};

/** What a line in the journal begins with. */
export function journalPrefix(level: LogLevel): string {
  return `<${journalPriority[level]}>`;
}

let threshold = levels.indexOf("info");
let sink: (line: string) => void = (line) => process.stderr.write(line);
let style: "plain" | "journal" = "plain";

/** Sets the least important level that is written. */
export function setLogLevel(level: LogLevel): void {
  threshold = levels.indexOf(level);
}

/** Makes the next level up the threshold, and wraps round; returns it. */
export function cycleLogLevel(): LogLevel {
  threshold = (threshold + 1) % levels.length;
  return levels[threshold] ?? "info";
}

/** Sends lines elsewhere than stderr; `journal` puts an sd-daemon priority in place of the time. */
export function setLogSink(write: (line: string) => void, lineStyle: "plain" | "journal"): void {
  sink = write;
  style = lineStyle;
}

function write(level: LogLevel, message: string, details: readonly unknown[]): void {
  if (levels.indexOf(level) > threshold) return;
  const text = formatWithOptions({ colors: false, breakLength: Infinity }, message, ...details);
  const oneLine = text.replaceAll("\n", " | ");
  const head = style === "journal" ? journalPrefix(level) : `${new Date().toISOString()} ${level} `;
  sink(`${head}${oneLine}\n`);
}

/** One line per call, %-formatted as console.log does; line breaks are folded. */
export const log = {
  error: (message: string, ...details: unknown[]): void => write("error", message, details),
  warn: (message: string, ...details: unknown[]): void => write("warn", message, details),
  info: (message: string, ...details: unknown[]): void => write("info", message, details),
  debug: (message: string, ...details: unknown[]): void => write("debug", message, details),
};
