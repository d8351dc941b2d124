// Sizes and durations: numbers with a unit.
import { OptionError } from "./option-error.ts";
import type { OptionType } from "./option-type.ts";

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Bytes within [min, max]: 512M and 512MiB are powers of 1024, 512MB of 1000. */
export function sizeType(range: { min: number; max: number }): OptionType<number> {
  return {
    placeholder: "SIZE",
    alone: undefined,
    parse: (text) => {
      const bytes = parseSize(text);
      if (bytes === undefined) throw new OptionError("want a size such as 512M or 2GiB");
      if (bytes < range.min || bytes > range.max) {
        throw new OptionError(
          `want a size from ${formatSize(range.min)} to ${formatSize(range.max)}`,
        );
      }
      return bytes;
    },
  };
}

/** Room to leave free on a disk. */
export type MinFree = { readonly bytes: number } | { readonly fraction: number };

/** A size, or a share of the disk such as 5%. */
export const minFreeType: OptionType<MinFree> = {
  placeholder: "SIZE|N%",
  alone: undefined,
  parse: (text) => {
    const percent = /^(\d{1,2}(?:\.\d+)?) ?%$/.exec(text)?.[1];
    if (percent !== undefined) return { fraction: Number(percent) / 100 };
    const bytes = parseSize(text);
    if (bytes === undefined) {
      throw new OptionError("want a size such as 2G, or a share of the disk below 100 such as 5%");
    }
    return { bytes };
  },
};

/** As sizeType(), or `auto`. */
export function autoSizeType(range: { min: number; max: number }): OptionType<number | "auto"> {
  const size = sizeType(range);
  return {
    placeholder: "SIZE|auto",
    alone: undefined,
    parse: (text, directory) =>
      text.toLowerCase() === "auto" ? "auto" : size.parse(text, directory),
  };
}

/** Milliseconds within [min, max]: 30s, 5m, 60m0s, 1h30m, 250ms; a bare number counts seconds. */
export function durationType(range: { min: number; max: number }): OptionType<number> {
  return {
    placeholder: "TIME",
    alone: undefined,
    parse: (text) => {
      const duration = parseDuration(text);
      if (duration === undefined) throw new OptionError("want a time such as 30s, 5m or 1h30m");
      if (duration < range.min || duration > range.max) {
        throw new OptionError(
          `want a time from ${formatDuration(range.min)} to ${formatDuration(range.max)}`,
        );
      }
      return duration;
    },
  };
}

/** Bytes, or undefined for what is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]*)$/i.exec(text);
  const unit = sizeUnits[match?.[2]?.toLowerCase() ?? "-"];
  if (match === null || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return bytes <= Number.MAX_SAFE_INTEGER ? Math.round(bytes) : undefined;
}

/** Milliseconds, or undefined for what is not a time. */
export function parseDuration(text: string): number | undefined {
  if (/^\d{1,10}(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(\d{1,10}(\.\d+)?(ms|[smhd]))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g);
  const sum = [...parts].reduce(
    (total, [, count, unit]) => total + Number(count) * (durationUnits[unit ?? ""] ?? 0),
    0,
  );
  return Math.round(sum);
}

/** The shortest spelling: 64M, 10G, 1500. */
export function formatSize(bytes: number): string {
  const unit = (["T", "G", "M", "K"] as const).find(
    (letter) => bytes > 0 && bytes % (sizeUnits[letter.toLowerCase()] ?? 1) === 0,
  );
  return unit === undefined
    ? String(bytes)
    : `${bytes / (sizeUnits[unit.toLowerCase()] ?? 1)}${unit}`;
}

/** The shortest spelling: 90s, 5m, 1h, 0. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  const unit = (["d", "h", "m", "s", "ms"] as const).find(
    (name) => ms % (durationUnits[name] ?? 1) === 0,
  );
  return `${ms / (durationUnits[unit ?? "ms"] ?? 1)}${unit ?? "ms"}`;
}
