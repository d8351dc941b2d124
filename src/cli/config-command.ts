// `pailfs config`: the options a mount would have, and who says so.
import { environmentKeys } from "../options/environment-options.ts";
import type { GivenOption } from "../options/given-option.ts";
import { optionNames, optionOf } from "../options/option-table.ts";
import { parseMountOptions, resolveGiven } from "../options/parse-mount-options.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";
import { completeMount } from "./mount-request.ts";

interface Line {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

/** Prints every option with its value and origin, `json` as an object; rejects with OptionError as mounting would. */
export async function configCommand(
  words: readonly string[],
  given: readonly GivenOption[],
  json: boolean,
  context: CommandContext,
): Promise<number> {
  const { environment } = context;
  const written = await completeMount(words, given, environment);
  // what would not mount is not shown as if it did
  const { notices } = parseMountOptions(
    {
      source: written.source ?? "missing",
      mountpoint: written.mountpoint ?? "/",
      given: written.given,
    },
    environment,
  );
  for (const notice of notices) complain(context, notice);
  const { given: byName, defaults } = resolveGiven(written.given, environment);
  const place = (word: string | undefined, value: string | undefined): Line["origin"] =>
    word !== undefined ? "command line" : value === undefined ? "not given" : `${written.config}`;
  const lines: Line[] = [
    { name: "source", value: written.source ?? "", origin: place(words[0], written.source) },
    {
      name: "mountpoint",
      value: written.mountpoint ?? "",
      origin: place(words[1], written.mountpoint),
    },
    ...optionNames.map((name) => {
      const { defaultText, type } = optionOf(name);
      const option = byName.get(name);
      const value = defaults.get(name) ?? defaultText;
      if (option === undefined) return { name, value, origin: "default" };
      const shown = type.isSecret === true ? "…" : (option.value ?? type.alone ?? "");
      return { name, value: shown, origin: originOf(option) };
    }),
    ...keyLines(context),
  ];
  context.stdout(json ? toJson(lines) : toText(lines));
  return ExitCode.ok;
}

function originOf({ origin, spelling }: GivenOption): string {
  return origin === "config file" ? spelling.replace(/^\S+ in /, "") : spelling;
}

// keys are options of no table; that they are there is worth knowing, what they are is nobody's business
function keyLines({ environment }: CommandContext): Line[] {
  const keys = environmentKeys(environment.variables);
  if (keys === undefined) return [];
  const value = `${keys.accessKeyId.slice(0, 4)}… and a secret`;
  return [{ name: "keys", value, origin: "environment" }];
}

function toText(lines: readonly Line[]): string {
  const width = Math.max(...lines.map(({ name }) => name.length));
  const values = Math.max(...lines.map(({ value }) => value.length));
  return lines
    .map(({ name, value, origin }) => `${name.padEnd(width)}  ${value.padEnd(values)}  ${origin}\n`)
    .join("");
}

function toJson(lines: readonly Line[]): string {
  const entries = lines.map(({ name, value, origin }) => [name, { value, origin }]);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}
