// Attributes of files as x-amz-meta-*: s3fs's are written, those of AWS's tools, GeeseFS and rclone are read as well.
import type { Nanoseconds } from "../../posix/stat.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { formatXattrs, parseXattrs, type Xattrs } from "./xattr-metadata.ts";

export type Metadata = Readonly<Record<string, string>>;

/** What an object says of itself; absent where it says nothing, or nothing that can be meant. */
export interface ToldAttributes {
  /** With type bits where they were told, else below 0o10000. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly rdev?: number;
  readonly mtime?: Nanoseconds;
  readonly atime?: Nanoseconds;
  readonly ctime?: Nanoseconds;
  readonly xattrs?: Xattrs;
  /** Names of what is there and makes no sense. */
  readonly rejected: readonly string[];
}

/** Bytes of names and values that S3 takes; with a margin for what others put there. */
const METADATA_MAX = 2048 - 128;
/** Of chown(2): the highest id means "leave as it is". */
const ID_MAX = 2 ** 32 - 2;
const MODE_MAX = 0o177777;
const RDEV_MAX = 2 ** 32 - 1;
/** Nanoseconds have 64 bits. */
const SECONDS_MAX = 9_000_000_000n;
const NS = 1_000_000_000n;

type Described = Pick<
  NamespaceEntry,
  "mode" | "uid" | "gid" | "rdev" | "mtime" | "atime" | "ctime" | "xattrs"
>;

/** The metadata of an object with these attributes; without xattrs where they do not fit (`fitsMetadata`). */
export function metadataOf(entry: Described): Metadata {
  const base: Record<string, string> = {
    mode: String(entry.mode),
    uid: String(entry.uid),
    gid: String(entry.gid),
    mtime: formatTime(entry.mtime),
    ctime: formatTime(entry.ctime),
    atime: formatTime(entry.atime),
  };
  if (entry.rdev !== 0) base["rdev"] = String(entry.rdev);
  const xattr = formatXattrs(entry.xattrs);
  if (xattr === undefined) return base;
  const all = { ...base, xattr };
  return sizeOf(all) <= METADATA_MAX ? all : base;
}

/** Whether metadataOf() leaves nothing out. */
export function fitsMetadata(entry: Described): boolean {
  return formatXattrs(entry.xattrs) === undefined || "xattr" in metadataOf(entry);
}

/** Never throws, whatever strangers wrote. s3fs's names go first: what changes them leaves the others behind. */
export function attributesIn(metadata: Metadata | undefined): ToldAttributes {
  const rejected: string[] = [];
  const first = <T>(...readers: [name: string, parse: (text: string) => T | undefined][]) => {
    for (const [name, parse] of readers) {
      const text = metadata?.[name];
      if (text === undefined || text === "") continue;
      const value = parse(text);
      if (value !== undefined) return value;
      rejected.push(name);
    }
    return undefined;
  };
  const told = {
    mode: first(["mode", decimal(MODE_MAX)], ["file-permissions", parseOctalMode]),
    uid: first(["uid", decimal(ID_MAX)], ["file-owner", decimal(ID_MAX)]),
    gid: first(["gid", decimal(ID_MAX)], ["file-group", decimal(ID_MAX)]),
    rdev: first(["rdev", decimal(RDEV_MAX)]),
    mtime: first(["mtime", parseTime], ["file-mtime", parseAwsTime]),
    atime: first(["atime", parseTime], ["file-atime", parseAwsTime]),
    ctime: first(["ctime", parseTime]),
    xattrs: first(["xattr", parseXattrs]),
  };
  const present = Object.entries(told).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(present) as Partial<ToldAttributes>), rejected };
}

/** Seconds with nine decimals, none where they are zero. */
export function formatTime(time: Nanoseconds): string {
  const size = time < 0n ? -time : time;
  const seconds = `${time < 0n ? "-" : ""}${size / NS}`;
  const rest = size % NS;
  return rest === 0n ? seconds : `${seconds}.${rest.toString().padStart(9, "0")}`;
}

/** Seconds with any number of decimals, as s3fs, GeeseFS and rclone write them. */
export function parseTime(text: string): Nanoseconds | undefined {
  const match = /^(-?)(\d{1,10})(?:\.(\d{1,30}))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, seconds = "", fraction = ""] = match;
  if (BigInt(seconds) > SECONDS_MAX) return undefined;
  const time = BigInt(seconds) * NS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -time : time;
}

/** `1700000000123456789ns`, or milliseconds without a unit. */
function parseAwsTime(text: string): Nanoseconds | undefined {
  const match = /^(\d{1,19})(ns)?$/.exec(text);
  if (!match) return undefined;
  const [, digits = "", unit] = match;
  const time = unit === undefined ? BigInt(digits) * 1_000_000n : BigInt(digits);
  return time > SECONDS_MAX * NS ? undefined : time;
}

function parseOctalMode(text: string): number | undefined {
  return /^[0-7]{1,7}$/.test(text) ? inRange(Number.parseInt(text, 8), MODE_MAX) : undefined;
}

function decimal(max: number): (text: string) => number | undefined {
  return (text) => (/^\d{1,10}$/.test(text) ? inRange(Number(text), max) : undefined);
}

function inRange(value: number, max: number): number | undefined {
  return value <= max ? value : undefined;
}

function sizeOf(metadata: Metadata): number {
  let size = 0;
  for (const [name, value] of Object.entries(metadata)) size += name.length + value.length;
  return size;
}
