// From `docker volume create -o key=value` to the command line of the mount. Keys are those of the one option table, and
// `bucket`, `prefix` and `source` beside them; defaults come from the plugin's configuration file.
import { type ConfigFile, readConfigFile } from "../options/config-file.ts";
import type { Environment } from "../options/environment-options.ts";
import type { GivenOption } from "../options/given-option.ts";
import type { MountOptions } from "../options/mount-options.ts";
import { nearestName } from "../options/nearest-name.ts";
import { OptionError } from "../options/option-error.ts";
import { canonicalName, findOption, optionNames, optionOf } from "../options/option-table.ts";
import { parseMountOptions, resolveGiven } from "../options/parse-mount-options.ts";

/** A mount that is to be made for a volume. */
export interface VolumeMount {
  readonly options: MountOptions;
  /** Arguments of `pailfs mount`. */
  readonly arguments: readonly string[];
}

/** A volume as it was asked for. */
export interface VolumeWish {
  readonly name: string;
  readonly options: Readonly<Record<string, string>>;
  readonly mountpoint: string;
  /** As it was settled when the volume was made; undefined while it is being made. */
  readonly source?: string;
}

// what says what is mounted; the rest is for the option table
const places = ["source", "bucket", "prefix"] as const;
type Places = Partial<Record<(typeof places)[number], string>>;

// `docker volume inspect` shows options to everybody who may talk to dockerd
const secrets = /^(aws_)?(access_key(_id)?|secret(_access)?_key|session_token|password)$/;

// containers run as other users than the daemon
const usual: readonly GivenOption[] = [
  { name: "allow_other", value: "yes", origin: "config file", spelling: "allow_other" },
  {
    name: "protect_mountpoint",
    value: "no",
    origin: "config file",
    spelling: "protect_mountpoint",
  },
];

/** Checks and completes a wish; rejects with OptionError, one line that names the option and the remedy. */
export async function resolveVolume(
  wish: VolumeWish,
  defaultsPath: string | undefined,
  environment: Environment,
): Promise<VolumeMount> {
  const { words, given: own } = takeApart(wish.options);
  const defaults = await readDefaults(defaultsPath);
  const file = await readOwnFile(own);
  const source = wish.source ?? sourceOf(wish.name, words, file, defaults);
  const given = [
    ...usual,
    ...(defaults?.given ?? []),
    ...(file?.given ?? []),
    ...own.filter(({ name }) => findOption(name) !== "config"),
  ];
  const { mountpoint } = wish;
  const { options } = parseMountOptions({ source, mountpoint, given }, environment);
  const resolved = resolveGiven(given, environment);
  const flags = [...resolved.given].flatMap(([name, option]) => {
    // the daemon has our environment, and is told the preset's name
    if (option.origin === "environment" || option.origin === "preset") return [];
    const value = option.value ?? optionOf(name).type.alone;
    const isPath = optionOf(name).type.placeholder === "PATH";
    const text = isPath ? (resolved.values[name] as string) : value;
    return [`--${name.replaceAll("_", "-")}=${text}`];
  });
  const list = resolved.mountWords.length === 0 ? [] : ["-o", resolved.mountWords.join(",")];
  return { options, arguments: ["mount", ...flags, ...list, "--", source, mountpoint] };
}

function takeApart(options: VolumeWish["options"]): { words: Places; given: GivenOption[] } {
  const words: Places = {};
  const given: GivenOption[] = [];
  for (const [key, value] of Object.entries(options)) {
    const name = canonicalName(key);
    const spelling = `-o ${key}`;
    const place = places.find((candidate) => candidate === name);
    if (place !== undefined) words[place] = value;
    else if (secrets.test(name)) {
      throw new OptionError(
        `Cannot use ${spelling}: everybody sees it in docker volume inspect; put KEY:SECRET into a file of mode 0600 and name it with -o credentials_file=PATH`,
      );
    } else if (/^sse_(c|customer_key)$/.test(name)) {
      throw new OptionError(
        `Cannot use ${spelling}: everybody sees it in docker volume inspect; put the key into a file of mode 0600 and name it with -o sse_customer_key_file=PATH`,
      );
    } else if (name === "foreground" || name === "f" || name === "remount") {
      throw new OptionError(`Cannot use ${spelling}: the plugin mounts, and stays`);
    } else given.push({ name: key, value: aloneOr(key, value), origin: "option list", spelling });
  }
  const { source, bucket, prefix } = words;
  if (source !== undefined && (bucket !== undefined || prefix !== undefined)) {
    throw new OptionError(`Cannot use -o source=${source} with bucket or prefix: leave one out`);
  }
  checkNames(given);
  return { words, given };
}

// `-o ro` comes as ro=""
function aloneOr(key: string, value: string): string | undefined {
  const name = findOption(key);
  const mayStandAlone = name === undefined || optionOf(name).type.alone !== undefined;
  return value === "" && mayStandAlone ? undefined : value;
}

// the table does not know bucket and prefix, so its own hint would miss them
function checkNames(given: readonly GivenOption[]): void {
  for (const { name, spelling } of given) {
    const canonical = canonicalName(name);
    const near = nearestName(canonical, [...places, ...optionNames]);
    if (near !== canonical && places.some((place) => place === near)) {
      throw new OptionError(`Unknown option ${spelling}: did you mean -o ${near}?`);
    }
  }
}

async function readDefaults(path: string | undefined): Promise<ConfigFile | undefined> {
  return path === undefined ? undefined : readConfigFile(path);
}

async function readOwnFile(own: readonly GivenOption[]): Promise<ConfigFile | undefined> {
  const option = own.find(({ name }) => findOption(name) === "config");
  if (option === undefined) return undefined;
  if (option.value?.startsWith("/") !== true) {
    throw new OptionError(`Cannot use -o config=${option.value ?? ""}: want an absolute path`);
  }
  return readConfigFile(option.value);
}

function sourceOf(
  name: string,
  words: Places,
  file: ConfigFile | undefined,
  defaults: ConfigFile | undefined,
): string {
  const { source, bucket, prefix } = words;
  if (source !== undefined) return source;
  if (bucket !== undefined) return prefix === undefined ? bucket : `${bucket}:${prefix}`;
  if (file?.source !== undefined && prefix === undefined) return file.source;
  if (defaults?.source === undefined) {
    throw new OptionError(
      `Cannot make volume "${name}": no bucket given; say -o bucket=BUCKET, or write source: BUCKET into the plugin's configuration`,
    );
  }
  // volumes without a word of their own do not share their files
  const shared = defaults.source.includes(":") ? defaults.source : `${defaults.source}:`;
  return `${shared}${prefix ?? `${name}/`}`;
}
