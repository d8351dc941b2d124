// What is to be mounted where and how: words and options of the command, with what the configuration file adds.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { readConfigFile } from "../options/config-file.ts";
import type { Environment } from "../options/environment-options.ts";
import { type GivenOption, optionOrigins } from "../options/given-option.ts";
import { findOption, optionOf } from "../options/option-table.ts";

export interface WrittenMount {
  readonly source: string | undefined;
  readonly mountpoint: string | undefined;
  /** The configuration file, if there is one. */
  readonly config: string | undefined;
  readonly given: readonly GivenOption[];
}

/** Adds the configuration file and systemd's credentials; rejects with OptionError when the file cannot be used. */
export async function completeMount(
  words: readonly string[],
  given: readonly GivenOption[],
  environment: Environment,
): Promise<WrittenMount> {
  const [source, mountpoint] = words;
  const config = configPath(given, environment);
  const file = config === undefined ? undefined : await readConfigFile(config);
  const credentials = await serviceCredentials(environment);
  return {
    source: source ?? file?.source,
    mountpoint: mountpoint ?? file?.mountpoint,
    config,
    given: [...credentials, ...(file?.given ?? []), ...given],
  };
}

function configPath(given: readonly GivenOption[], environment: Environment): string | undefined {
  const { variables, directory } = environment;
  const rank = ({ origin }: GivenOption): number => optionOrigins.indexOf(origin);
  const option = given
    .filter(({ name }) => findOption(name) === "config")
    .sort((a, b) => rank(a) - rank(b))
    .at(-1);
  const text = option?.value ?? (variables["PAILFS_CONFIG"] || undefined);
  // one without a value is for parseMountOptions() to complain of
  return text === undefined
    ? undefined
    : (optionOf("config").type.parse(text, directory) as string);
}

// LoadCredential=pailfs:/path of a unit; weaker than a credentials_file that was named anywhere else
async function serviceCredentials({ variables }: Environment): Promise<GivenOption[]> {
  const directory = variables["CREDENTIALS_DIRECTORY"] ?? "";
  if (directory === "") return [];
  const value = join(directory, "pailfs");
  const isThere = await access(value).then(
    () => true,
    () => false,
  );
  const spelling = "the credential pailfs of systemd";
  return isThere ? [{ name: "credentials_file", value, origin: "config file", spelling }] : [];
}
