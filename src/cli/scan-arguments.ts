// The arguments of `mount` in every spelling there is: --cache-dir X, --cache_dir=X, -cache-dir=X (goofys), -o a,b=c,
// --no-x, in any order. Which of them take a value is the option table's knowledge, so yargs cannot do it.
import { commandLineOption, type GivenOption } from "../options/given-option.ts";
import { goofysFlags } from "../options/goofys-flags.ts";
import { OptionError } from "../options/option-error.ts";
import { parseOptionList } from "../options/option-list.ts";
import { canonicalName, findOption, optionOf } from "../options/option-table.ts";

export interface ScannedArguments {
  /** What is no option: command, source, mount point. */
  readonly words: readonly string[];
  /** In the order written, lists of -o taken apart. */
  readonly given: readonly GivenOption[];
}

/** Takes arguments apart; throws OptionError where a value is missing. Names are not judged. */
export function scanArguments(argv: readonly string[]): ScannedArguments {
  const words: string[] = [];
  const given: GivenOption[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    if (argument === "--") {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      words.push(argument);
      continue;
    }
    const { name, inline } = splitArgument(argument);
    let value = inline;
    if (value === undefined && (takesValue(name) || mayTake(name, argv[index + 1]))) {
      index += 1;
      value = argv[index];
    }
    if (name === "o") given.push(...optionList(value));
    else given.push(commandLineOption(name, value));
  }
  return { words, given };
}

function splitArgument(argument: string): { name: string; inline: string | undefined } {
  // -oallow_other, as mount(8) writes it
  const attached = /^-o([^=].*)$/.exec(argument)?.[1];
  if (attached !== undefined && !takesValue(argument)) return { name: "o", inline: attached };
  const [, name = "", inline] = /^--?([^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
  return { name, inline };
}

function takesValue(name: string): boolean {
  if (name === "o") return true;
  const option = findOption(name);
  if (option !== undefined) return optionOf(option).type.alone === undefined;
  const canonical = canonicalName(name);
  return Object.hasOwn(goofysFlags, canonical) && goofysFlags[canonical]?.takesValue === true;
}

// an option that may stand alone, followed by one of its own words: `--passthrough off`
function mayTake(name: string, next: string | undefined): boolean {
  const option = findOption(name);
  return (
    option !== undefined && next !== undefined && optionOf(option).type.isWord?.(next) === true
  );
}

function optionList(value: string | undefined): GivenOption[] {
  if (value === undefined) throw new OptionError("Cannot use -o without a value: write -o a,b=c");
  return parseOptionList(value);
}
