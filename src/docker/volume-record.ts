// What the plugin remembers of a volume, as its state file has it.
import type { References } from "./references.ts";

export interface VolumeRecord {
  readonly name: string;
  /** As given to `docker volume create -o`: no secrets. */
  readonly options: Readonly<Record<string, string>>;
  /** What is mounted, also when the plugin's defaults change. */
  readonly source: string;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  readonly references: References;
  /** A daemon was started and has not ended with everything uploaded: its journal may hold work. */
  readonly isUnsettled: boolean;
  /** Removed from Docker's view, and kept until its uploads are through. */
  readonly isRemoved: boolean;
}

/** A record of a state file, or undefined for what is none. */
export function parseRecord(value: unknown): VolumeRecord | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, options, source, createdMs, references, isUnsettled, isRemoved } =
    value as Partial<VolumeRecord>;
  if (typeof name !== "string" || typeof createdMs !== "number") return undefined;
  if (typeof source !== "string") return undefined;
  if (!isMapOf(options, "string")) return undefined;
  return {
    name,
    options: options as Record<string, string>,
    source,
    createdMs,
    references: isMapOf(references, "number") ? (references as References) : {},
    isUnsettled: isUnsettled === true,
    isRemoved: isRemoved === true,
  };
}

function isMapOf(value: unknown, type: "string" | "number"): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => typeof item === type);
}
