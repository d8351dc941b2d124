// From options as they were written to one value per name: spellings, goofys flags, words of mount(8), precedence.
import { type GivenOption, optionOrigins } from "./given-option.ts";
import { goofysFlags } from "./goofys-flags.ts";
import { mountWord } from "./mount-words.ts";
import { nearestName } from "./nearest-name.ts";
import { OptionError } from "./option-error.ts";
import { presetOptions } from "./presets.ts";
import {
  type OptionName,
  type OptionValues,
  canonicalName,
  findOption,
  optionNames,
  optionOf,
} from "./option-table.ts";

export interface ResolvedOptions {
  readonly values: OptionValues;
  /** What was given and by whom; absent: the default holds. */
  readonly given: ReadonlyMap<OptionName, GivenOption>;
  /** Defaults of this user in place of the table's, as texts. */
  readonly defaults: ReadonlyMap<OptionName, string>;
  readonly mountWords: readonly string[];
  /** Whether an existing mount is to be changed. */
  readonly isRemount: boolean;
  /** One line for each option that was accepted without effect. */
  readonly notices: readonly string[];
}

interface Collected {
  readonly texts: Map<OptionName, GivenOption>;
  readonly mountWords: string[];
  readonly notices: string[];
  isRemount: boolean;
}

/** What options are applied to. */
export interface Surroundings {
  /** Relative paths are relative to it. */
  readonly directory: string;
  /** Defaults in place of the table's, as texts. */
  readonly defaults?: ReadonlyMap<OptionName, string>;
  /** Whether root mounts, who has options that others have not. */
  readonly isRoot?: boolean;
  /** Whether a list may hold words that nobody knows (mount -s). */
  readonly sloppy?: boolean;
}

/** Applies options, stronger origins and later ones over others; throws OptionError at the first that cannot be used. */
export function resolveOptions(
  given: readonly GivenOption[],
  { directory, defaults = new Map(), isRoot = false, sloppy = false }: Surroundings,
): ResolvedOptions {
  const collected: Collected = { texts: new Map(), mountWords: [], notices: [], isRemount: false };
  const rank = (option: GivenOption): number => optionOrigins.indexOf(option.origin);
  for (const option of [...given].sort((a, b) => rank(a) - rank(b))) {
    if (sloppy && option.origin === "option list" && !isKnown(option)) {
      collected.notices.push(`${option.spelling} is unknown and has no effect`);
    } else take(option, collected);
  }
  takePreset(collected.texts, directory, isRoot);
  const values = optionNames.map((name) => {
    const option = collected.texts.get(name);
    if (option !== undefined) return [name, parse(name, option, directory)];
    const text = defaults.get(name);
    const { default: usual, type } = optionOf(name);
    return [name, text === undefined ? usual : type.parse(text, directory)];
  });
  return {
    values: Object.fromEntries(values) as OptionValues,
    given: collected.texts,
    defaults,
    mountWords: collected.mountWords,
    isRemount: collected.isRemount,
    notices: collected.notices,
  };
}

/** What a preset says of options that nobody gave. */
function takePreset(texts: Map<OptionName, GivenOption>, directory: string, isRoot: boolean): void {
  const given = texts.get("preset");
  const preset = given === undefined ? "none" : parse("preset", given, directory);
  for (const option of presetOptions(preset as string, isRoot)) {
    const name = findOption(option.name);
    if (name !== undefined && !texts.has(name)) texts.set(name, option);
  }
}

function isKnown({ name }: GivenOption): boolean {
  const canonical = canonicalName(name);
  return (
    mountWord(name) !== undefined ||
    findOption(name) !== undefined ||
    Object.hasOwn(goofysFlags, canonical) ||
    negatedFlag(canonical) !== undefined
  );
}

function take(option: GivenOption, collected: Collected): void {
  const { texts, mountWords, notices } = collected;
  const word = option.origin === "option list" ? mountWord(option.name) : undefined;
  if (word === "read only") texts.set("read_only", { ...option, value: "yes" });
  if (word === "passed on") mountWords.push(option.name);
  if (word === "remount") collected.isRemount = true;
  if (word !== undefined) return;

  const name = findOption(option.name);
  if (name !== undefined) {
    if (optionOf(name).type.isSecret === true) refuseToShow(name, option);
    texts.set(name, option);
    return;
  }
  const canonical = canonicalName(option.name);
  const goofys = Object.hasOwn(goofysFlags, canonical) ? goofysFlags[canonical] : undefined;
  if (goofys === undefined) {
    const negated = negatedFlag(canonical);
    if (negated === undefined || option.value !== undefined) throw unknownOption(option);
    texts.set(negated, { ...option, value: "no" });
  } else if ("ignored" in goofys) {
    notices.push(`${option.spelling} has no effect: ${goofys.ignored}`);
  } else {
    const { notice, option: name, whenEmpty } = goofys;
    if (notice !== undefined) notices.push(`${option.spelling}: ${notice}`);
    if (option.value === "" && whenEmpty !== undefined) {
      texts.set(whenEmpty.option, { ...option, value: whenEmpty.value });
    } else texts.set(name, { ...option, value: goofys.value ?? option.value });
  }
}

function refuseToShow(name: OptionName, { origin, spelling }: GivenOption): void {
  if (origin === "environment") return;
  throw new OptionError(
    `Cannot use ${spelling}: others can see it there; put it into a file of mode 0600 and name it with ${name}_file, or set PAILFS_${name.toUpperCase()}`,
    { kind: origin === "config file" ? "configuration" : "usage" },
  );
}

function negatedFlag(canonical: string): OptionName | undefined {
  const name = canonical.startsWith("no_") ? findOption(canonical.slice(3)) : undefined;
  return name !== undefined && optionOf(name).type.alone === "yes" ? name : undefined;
}

function parse(name: OptionName, given: GivenOption, directory: string): unknown {
  const { type } = optionOf(name);
  const text = given.value ?? type.alone;
  if (text === undefined) {
    throw new OptionError(
      `Cannot use ${given.spelling} without a value: write ${given.spelling}=${type.placeholder}`,
      { kind: kindOf(given) },
    );
  }
  try {
    return type.parse(text, given.directory ?? directory);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const shown = type.isSecret === true ? "…" : text;
    throw new OptionError(`Cannot use ${given.spelling}=${shown}: ${error.message}`, {
      cause: error,
      kind: kindOf(given),
    });
  }
}

function unknownOption(option: GivenOption): OptionError {
  const canonical = canonicalName(option.name);
  const names = [...optionNames, ...Object.keys(goofysFlags).filter((name) => name.length > 1)];
  const nearest = nearestName(canonical, names);
  const written = option.origin === "command line" ? nearest?.replaceAll("_", "-") : nearest;
  const dashes =
    option.origin === "command line" ? "--" : option.origin === "option list" ? "-o " : "";
  const hint =
    nearest === undefined ? "see pailfs mount --help" : `did you mean ${dashes}${written}?`;
  return new OptionError(`Unknown option ${option.spelling}: ${hint}`, { kind: kindOf(option) });
}

function kindOf({ origin }: GivenOption): "usage" | "configuration" {
  return origin === "config file" ? "configuration" : "usage";
}
